//! Which web pages may send telemetry: the CORS protocol, as the Collector's `cors` section means it.

use super::config;
use super::reply::Reply;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use http::{Method, Request, Response, StatusCode};

/// Who may do what.
pub(super) struct Cors {
    origins: Vec<String>,
    any_header: bool,
    headers: Vec<String>,
    exposed: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
}

/// What is allowed to one request.
pub(super) struct Allowed<'a> {
    cors: &'a Cors,
    /// Its origin, if that is let in.
    origin: Option<HeaderValue>,
    /// Set for a preflight: the headers it asked for, if all of them are allowed.
    preflight: Option<Option<HeaderValue>>,
}

/// Always allowed: what a simple request may have, and the type of its content.
const HARMLESS: [&str; 4] = ["accept", "content-type", "origin", "x-requested-with"];

impl Cors {
    /// `None` if no origin is let in: then there is no CORS, as in the Collector.
    pub(super) fn new(settings: &config::Cors) -> Option<Self> {
        if settings.allowed_origins.is_empty() {
            return None;
        }
        let lower = |texts: &[String]| texts.iter().map(|text| text.to_ascii_lowercase()).collect::<Vec<_>>();
        let exposed = settings.exposed_headers.join(", ");
        Some(Self {
            origins: lower(&settings.allowed_origins),
            any_header: settings.allowed_headers.iter().any(|header| header == "*"),
            headers: lower(&settings.allowed_headers),
            exposed: HeaderValue::try_from(exposed).ok().filter(|value| !value.is_empty()),
            max_age: (settings.max_age > 0).then(|| settings.max_age.into()),
        })
    }

    /// What is allowed to `request`.
    pub(super) fn judge<B>(&self, request: &Request<B>) -> Allowed<'_> {
        let headers = request.headers();
        let origin = headers.get(ORIGIN).filter(|origin| origin.to_str().is_ok_and(|origin| self.lets_in(origin)));
        let wanted = headers.get(ACCESS_CONTROL_REQUEST_METHOD);
        let preflight = (request.method() == Method::OPTIONS && wanted.is_some()).then(|| {
            let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned().unwrap_or(HeaderValue::from_static(""));
            let method = wanted.is_some_and(|method| matches!(method.as_bytes(), b"GET" | b"HEAD" | b"POST"));
            (method && self.allows(&asked)).then_some(asked)
        });
        Allowed { cors: self, origin: origin.cloned(), preflight }
    }

    fn lets_in(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.origins.iter().any(|pattern| match pattern.split_once('*') {
            None => *pattern == origin,
            Some((start, end)) => {
                origin.len() >= start.len() + end.len() && origin.starts_with(start) && origin.ends_with(end)
            }
        })
    }

    fn allows(&self, asked: &HeaderValue) -> bool {
        let Ok(asked) = asked.to_str() else { return false };
        let names = asked.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
        let mut names = names;
        self.any_header || names.all(|name| HARMLESS.contains(&name.as_str()) || self.headers.contains(&name))
    }
}

impl Allowed<'_> {
    /// The answer to a preflight; `None` if it is none.
    pub(super) fn preflight(&self) -> Option<Response<Reply>> {
        let asked = self.preflight.as_ref()?;
        let mut response = Response::new(Reply::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if let (Some(_), Some(asked)) = (&self.origin, asked) {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
            if !asked.is_empty() {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
            }
            if let Some(max_age) = &self.cors.max_age {
                headers.insert(ACCESS_CONTROL_MAX_AGE, max_age.clone());
            }
        }
        Some(response)
    }

    /// Adds what a browser wants to see to an answer.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let refused_preflight = matches!(self.preflight, Some(None));
        let Some(origin) = self.origin.as_ref().filter(|_| !refused_preflight) else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if let Some(exposed) = self.cors.exposed.as_ref().filter(|_| self.preflight.is_none()) {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors() -> Cors {
        let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Cors::new(&config::Cors {
            allowed_origins: text(&["https://*.example.com", "http://localhost:3000"]),
            allowed_headers: text(&["X-Team"]),
            exposed_headers: text(&["X-Trace"]),
            max_age: 600,
        })
        .unwrap()
    }

    /// The headers of the answer to a request with these headers.
    fn answer(method: Method, headers: &[(&str, &str)]) -> (Option<StatusCode>, HeaderMap) {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cors = cors();
        let allowed = cors.judge(&request.body(()).unwrap());
        let preflight = allowed.preflight();
        let status = preflight.as_ref().map(Response::status);
        let mut headers = preflight.unwrap_or_default().headers().clone();
        allowed.write(&mut headers);
        (status, headers)
    }

    #[test]
    fn a_preflight_of_a_known_origin_is_allowed() {
        let (status, headers) = answer(
            Method::OPTIONS,
            &[
                ("origin", "https://a.example.com"),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "content-type, x-team"),
            ],
        );
        assert_eq!(status, Some(StatusCode::NO_CONTENT));
        assert_eq!(headers["access-control-allow-origin"], "https://a.example.com");
        assert_eq!(headers["access-control-allow-methods"], "POST");
        assert_eq!(headers["access-control-allow-headers"], "content-type, x-team");
        assert_eq!(headers["access-control-max-age"], "600");
    }

    #[test]
    fn a_preflight_that_asks_too_much_gets_nothing() {
        for (origin, method, wanted) in [
            ("https://evil.com", "POST", ""),
            ("https://example.com.evil.com", "POST", ""),
            ("http://localhost:3000", "DELETE", ""),
            ("http://localhost:3000", "POST", "authorization"),
        ] {
            let (status, headers) = answer(
                Method::OPTIONS,
                &[
                    ("origin", origin),
                    ("access-control-request-method", method),
                    ("access-control-request-headers", wanted),
                ],
            );
            assert_eq!(status, Some(StatusCode::NO_CONTENT));
            assert!(!headers.contains_key("access-control-allow-origin"), "{origin} {method} {wanted}");
            assert!(!headers.contains_key("access-control-allow-methods"), "{origin} {method} {wanted}");
        }
    }

    #[test]
    fn an_ordinary_request_gets_its_origin_back() {
        let (status, headers) = answer(Method::POST, &[("origin", "http://localhost:3000")]);
        assert_eq!(status, None);
        assert_eq!(headers["access-control-allow-origin"], "http://localhost:3000");
        assert_eq!(headers["access-control-expose-headers"], "X-Trace");
        assert!(!answer(Method::POST, &[]).1.contains_key("access-control-allow-origin"));
    }
}
