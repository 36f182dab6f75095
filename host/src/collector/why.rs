//! `GET /tailsampling/why`: why a trace was kept or not, and what was decided lately.
//!
//! With `trace_id` everything that is known of that trace; without it the latest decisions that meet `policy`, `vote`,
//! `outcome`, `because` and `disagree`. Every `tail_sampling` of every pipeline is asked.

use crate::telemetry::Decisions;
use crate::telemetry::decisions::{Because, Question, VOTES, Verdict};
use crate::web::{self, Reply};
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Decisions in an answer, unless `limit` says otherwise, and at most.
const LIMIT: (usize, usize) = (20, 1000);
const KEYS: [&str; 7] = ["trace_id", "policy", "vote", "outcome", "because", "disagree", "limit"];

pub(super) fn answer(query: Option<&str>, decisions: &Decisions) -> Reply {
    let question = match question(query.unwrap_or_default()) {
        Ok(question) => question,
        Err(fault) => return web::json(StatusCode::BAD_REQUEST, &json!({"error": fault})),
    };
    let answers = decisions.ask(&question);
    if answers.is_empty() {
        let error = "no tail_sampling processor runs here";
        return web::json(StatusCode::NOT_FOUND, &json!({"error": error, "decisions": [], "processors": []}));
    }
    let known = question.trace_id.is_none() || answers.values().any(|answer| answer.known);
    let (mut all, mut processors) = (Vec::new(), Vec::new());
    for answer in answers.into_values() {
        all.extend(answer.decisions);
        processors.push(answer.memory);
    }
    all.sort_by_key(|(ago_ms, _)| *ago_ms);
    all.truncate(question.limit);
    let all: Vec<Value> = all.into_iter().map(|(_, decision)| decision).collect();
    let all_are_empty = all.is_empty();
    let mut body = json!({"decisions": all, "processors": processors});
    let error = match &question.policy {
        Some(policy) if all_are_empty => unknown_policy(policy, &processors),
        _ => (!known).then(|| not_known(&processors)),
    };
    let Some(error) = error else { return web::json(StatusCode::OK, &body) };
    if let Some(body) = body.as_object_mut() {
        body.insert("error".to_owned(), error.into());
    }
    web::json(StatusCode::NOT_FOUND, &body)
}

/// What is wrong with a policy's name, if nobody has such a policy now.
fn unknown_policy(policy: &str, processors: &[Value]) -> Option<String> {
    let names =
        |processor: &'_ Value, key: &str| processor.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let all = processors.iter().flat_map(|one| [names(one, "policies"), names(one, "shadow_policies")].concat());
    let all: BTreeSet<String> = all.filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let list = || all.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    (!all.contains(policy)).then(|| format!("there is no policy {policy:?}; there are {}", list()))
}

/// How far back somebody would have had to remember.
fn not_known(processors: &[Value]) -> String {
    let reach = |processor: &Value| {
        let name = processor.get("processor").and_then(Value::as_str).unwrap_or_default();
        let history = |key: &str| processor.get("decision_history").and_then(|history| history.get(key));
        if history("size").and_then(Value::as_u64) == Some(0) {
            return format!("{name} remembers none (decision_history.size is 0)");
        }
        let since = history("complete_since").and_then(Value::as_str).unwrap_or_default();
        let seconds = history("reaches_back_seconds").and_then(Value::as_f64).unwrap_or_default();
        format!("{name} remembers all decisions since {since} ({seconds:.0} s)")
    };
    let reaches: Vec<String> = processors.iter().map(reach).collect();
    format!("nothing is known of this trace: {}", reaches.join("; "))
}

fn question(query: &str) -> Result<Question, String> {
    let mut question = Question { limit: LIMIT.0, ..Question::default() };
    let mut given = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value).ok_or_else(|| format!("{key}: {value:?} is not percent-encoded text"))?;
        if given.contains(&key) {
            return Err(format!("{key} is given twice"));
        }
        given.push(key);
        match key {
            "trace_id" => question.trace_id = Some(trace_id(&value)?),
            "policy" => question.policy = Some(value),
            "vote" => question.vote = Some(one_of(key, &value, VOTES.map(|word| (word, word)))?.to_owned()),
            "outcome" => question.verdict = Some(one_of(key, &value, Verdict::ALL.map(|one| (one.word(), one)))?),
            "because" => question.because = Some(one_of(key, &value, Because::ALL.map(|one| (one.word(), one)))?),
            "disagree" => {
                question.disagree = one_of(key, &value, [("1", true), ("true", true), ("0", false), ("false", false)])?
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LIMIT.1).contains(limit));
                question.limit =
                    limit.ok_or_else(|| format!("limit must be between 1 and {}, not {value:?}", LIMIT.1))?;
            }
            _ => {
                let near = crate::yaml::nearest(key, KEYS);
                let hint = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
                return Err(format!("unknown parameter {key:?}{hint}; there are {}", KEYS.join(", ")));
            }
        }
    }
    if let (Some(_), Some(other)) = (question.trace_id, given.iter().find(|key| !["trace_id", "limit"].contains(key))) {
        return Err(format!("trace_id asks for everything about one trace: leave out {other}"));
    }
    Ok(question)
}

/// An id of 32 hexadecimal digits.
fn trace_id(text: &str) -> Result<[u8; 16], String> {
    let must = "trace_id must be 32 hexadecimal digits, as in 4bf92f3577b34da6a3ce929d0e0e4736";
    if text.chars().count() != 32 {
        return Err(format!("{must}; {text:?} has {} characters", text.chars().count()));
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { continue };
        let both = digit(*high).zip(digit(*low)).ok_or_else(|| format!("{must}; {text:?} has other characters"))?;
        *byte = (both.0 << 4 | both.1) as u8;
    }
    if id == [0; 16] {
        return Err(
            "an id of zeros stands for no trace: such spans are decided one by one and not remembered".to_owned()
        );
    }
    Ok(id)
}

fn one_of<T: Copy, const N: usize>(key: &str, value: &str, known: [(&str, T); N]) -> Result<T, String> {
    let found = known.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| format!("{key} must be one of {}, not {value:?}", known.map(|(word, _)| word).join(", ")))
}

/// Text with `%41` for `A`, and `+` for a space.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                (high << 4 | low) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::decisions::Answer;
    use http_body_util::BodyExt;

    /// What is wrong with a question is said in words that lead to the right one.
    #[test]
    fn questions() {
        let fault = |query: &str, expected: &str| {
            let fault = question(query).unwrap_err();
            assert!(fault.contains(expected), "{query}: {fault}");
        };
        fault("trace_id=", "32 hexadecimal digits, as in 4bf92f3577b34da6a3ce929d0e0e4736; \"\" has 0 characters");
        fault("trace_id=4bf92f3577b34da6a3ce929d0e0e473", "has 31 characters");
        fault("trace_id=4bf92f3577b34da6a3ce929d0e0e473g", "has other characters");
        fault("trace_id=4bf92f3577b34da6a3ce929d0e0e%C3%A9", "has 29 characters");
        fault("trace_id=%C3%A9bf92f3577b34da6a3ce929d0e0e4736", "has other characters");
        fault("trace_id=%4", "is not percent-encoded");
        fault("trace_id=00000000000000000000000000000000", "no trace");
        fault("trace_id=4bf92f3577b34da6a3ce929d0e0e4736&policy=a", "leave out policy");
        fault("limit=0", "between 1 and 1000");
        fault("limit=1&limit=2", "given twice");
        fault("outcome=kept", "one of sampled, not_sampled, dropped, too_large, undecided");
        fault("because=x", "due, root");
        fault("vote=yes", "sampled, not_sampled, dropped, error");
        fault("disagree=maybe", "1, true");
        fault("traceid=1", "did you mean trace_id?");

        let asked = question("trace_id=4BF92f3577b34da6a3ce929d0e0e4736").unwrap();
        assert_eq!(asked.trace_id.unwrap()[..3], [0x4b, 0xf9, 0x2f]);
        let asked = question("policy=a+b%2Bc&outcome=too_large&because=root&vote=error&disagree=1&limit=7").unwrap();
        assert_eq!((asked.policy.as_deref(), asked.verdict), (Some("a b+c"), Some(Verdict::TooLarge)));
        assert_eq!((asked.because, asked.vote.as_deref()), (Some(Because::Root), Some("error")));
        assert_eq!((asked.disagree, asked.limit, question("").unwrap().limit), (true, 7, 20));
    }

    async fn ask(query: &str, decisions: &Decisions) -> (u16, Value) {
        let reply = answer(Some(query), decisions);
        let status = reply.status().as_u16();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// The answers of all are one list, the latest first; who knows nothing says how far back it would have known.
    #[tokio::test]
    async fn all_are_asked() {
        let decisions = Decisions::default();
        let (status, body) = ask("", &decisions).await;
        assert_eq!((status, body["error"].as_str()), (404, Some("no tail_sampling processor runs here")));
        for (name, agos) in [("a", [3, 8]), ("b", [1, 5])] {
            decisions.answer_with(name, move |question| {
                let decisions = agos.map(|ago| (ago, json!(format!("{name}{ago}"))));
                let known = question.trace_id.is_some_and(|id| id[0] == 0x4b && name == "b");
                let history = json!({"size": if name == "a" { 0 } else { 9 }, "complete_since": "then", "reaches_back_seconds": 61.2});
                let memory = json!({"processor": name, "decision_history": history});
                Some(Answer { decisions: if known || question.trace_id.is_none() { decisions.to_vec() } else { vec![] }, memory, known })
            });
        }
        decisions.answer_with("gone", |_| None);
        let (status, body) = ask("limit=3", &decisions).await;
        assert_eq!((status, &body["decisions"]), (200, &json!(["b1", "a3", "b5"])));
        assert_eq!(body["processors"].as_array().unwrap().len(), 2);
        let (status, body) = ask("trace_id=4bf92f3577b34da6a3ce929d0e0e4736", &decisions).await;
        assert_eq!((status, &body["decisions"]), (200, &json!(["b1", "b5"])));
        let (status, body) = ask("trace_id=5bf92f3577b34da6a3ce929d0e0e4736", &decisions).await;
        let expected = "nothing is known of this trace: a remembers none (decision_history.size is 0); b remembers all decisions since then (61 s)";
        assert_eq!((status, body["error"].as_str()), (404, Some(expected)));
        assert_eq!(ask("trace_id=1", &decisions).await.0, 400);
        let decisions = Decisions::default();
        decisions.answer_with("c", |_| {
            let memory = json!({"policies": ["errors", "slow"], "shadow_policies": ["errors", "new"]});
            Some(Answer { decisions: vec![], memory, known: false })
        });
        let (status, body) = ask("policy=other", &decisions).await;
        let expected = "there is no policy \"other\"; there are errors, new, slow";
        assert_eq!((status, body["error"].as_str()), (404, Some(expected)));
        assert_eq!(ask("policy=new", &decisions).await.0, 200);
    }
}
