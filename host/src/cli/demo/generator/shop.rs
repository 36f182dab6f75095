//! A small web shop: which calls a request of a browser leads to, and how long each takes.
//!
//! Most requests are boring. [`ERRORS_PERCENT`] of the traces fail somewhere and [`SLOW_PERCENT`] take longer than a
//! second, in the way such things happen: a statement waits for a lock, a bank does not answer. The attributes are those
//! of today's semantic conventions.

use super::call::{Call, Trace, called, served};
use super::model::{Attributes, End, Failure, Kind, Service, Span};
use fastrand::Rng;

/// Share of traces with a span of status ERROR.
pub(in crate::cli::demo) const ERRORS_PERCENT: u8 = 4;
/// Share of traces that take longer than a second.
pub(in crate::cli::demo) const SLOW_PERCENT: u8 = 4;

/// The attribute that nobody outside should see.
pub(in crate::cli::demo) const EMAIL: &str = "user.email";

/// Who shops here: `user.id` and `user.email`.
pub(in crate::cli::demo) const USERS: [(&str, &str); 8] = [
    ("u-1815", "ada@example.com"),
    ("u-1906", "grace@example.org"),
    ("u-1912", "alan@example.net"),
    ("u-1930", "edsger@example.com"),
    ("u-1936", "margaret@example.org"),
    ("u-1938", "donald@example.net"),
    ("u-1939", "barbara@example.com"),
    ("u-1941", "dennis@example.org"),
];

const LOCK_TIMEOUT: Failure =
    Failure { exception: "org.postgresql.util.PSQLException", message: "canceling statement due to lock timeout" };
const CONNECTION_LOST: Failure =
    Failure { exception: "redis.exceptions.ConnectionError", message: "Connection closed by server." };
const BANK_SILENT: Failure =
    Failure { exception: "java.net.http.HttpTimeoutException", message: "request timed out: bank.example" };

/// Makes traces, the same ones for the same seed.
#[derive(Debug)]
pub(in crate::cli::demo) struct Shop {
    rng: Rng,
    /// Number of the next span.
    next: u64,
}

/// What fate has in store for a trace.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Boring,
    Error,
    Slow,
}

impl Shop {
    /// A shop with this seed.
    pub(in crate::cli::demo) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), next: 0 }
    }

    /// Spans made so far: numbers below this have been given out.
    pub(in crate::cli::demo) fn spans(&self) -> u64 {
        self.next
    }

    /// The spans of one trace, its root first, which ended at `now_ns`.
    pub(in crate::cli::demo) fn trace(&mut self, now_ns: u64) -> Vec<Span> {
        let fate = match self.rng.u8(0..100) {
            roll if roll < ERRORS_PERCENT => Fate::Error,
            roll if roll < ERRORS_PERCENT + SLOW_PERCENT => Fate::Slow,
            _ => Fate::Boring,
        };
        let root = match self.rng.u8(0..100) {
            0..20 if fate == Fate::Boring => self.health_check(),
            0..60 => self.browse(fate),
            60..85 => self.add_to_cart(fate),
            _ => self.check_out(fate),
        };
        let spans = Trace::lay_out(root, self.trace_id(), self.next, now_ns);
        self.next += spans.len() as u64;
        spans
    }

    fn trace_id(&mut self) -> [u8; 16] {
        // All zeros is no id; it would come once in 2^128 traces.
        self.rng.u128(1..).to_be_bytes()
    }

    fn health_check(&mut self) -> Call {
        let own_us = self.rng.u64(80..400);
        let mut call = served(Service::Frontend, "GET", "/healthz", "/healthz".into(), own_us, Vec::new());
        call.attributes.push(("user_agent.original", "kube-probe/1.34".into()));
        call
    }

    fn browse(&mut self, fate: Fate) -> Call {
        let path = format!("/products/{}", self.rng.u32(1_000..10_000));
        let select =
            self.statement("SELECT", "products", "SELECT * FROM products WHERE id = $1", Service::Catalog, fate);
        let own_us = self.rng.u64(300..3_000);
        let catalog = served(Service::Catalog, "GET", "/products/{id}", path.clone(), own_us, vec![select]);
        let call = self.called(Service::Frontend, catalog);
        let own_us = self.rng.u64(2_000..20_000);
        let mut root = served(Service::Frontend, "GET", "/products/{id}", path, own_us, vec![call]);
        // Some visitors have signed in.
        if self.rng.u8(0..3) == 0 {
            let user = self.user();
            root.attributes.extend(user);
        }
        self.browser(root)
    }

    fn add_to_cart(&mut self, fate: Fate) -> Call {
        let user = self.user();
        let cart = self.cart("POST", "/carts/{id}/items", "HSET", fate);
        let call = self.called(Service::Frontend, cart);
        let own_us = self.rng.u64(2_000..15_000);
        let mut root = served(Service::Frontend, "POST", "/cart", "/cart".into(), own_us, vec![call]);
        root.attributes.extend(user);
        self.browser(root)
    }

    fn check_out(&mut self, fate: Fate) -> Call {
        let user = self.user();
        let cart = self.cart("GET", "/carts/{id}", "HGETALL", Fate::Boring);
        let cart = self.called(Service::Checkout, cart);
        let mut payment = self.payment(fate);
        payment.attributes.extend(user.clone());
        let payment = self.called(Service::Checkout, payment);
        let text = "INSERT INTO orders (id, user_id, total) VALUES ($1, $2, $3)";
        let insert = self.statement("INSERT", "orders", text, Service::Checkout, Fate::Boring);
        // Without a payment there is no order.
        let calls = if payment.end == End::Fine { vec![cart, payment, insert] } else { vec![cart, payment] };
        let own_us = self.rng.u64(2_000..12_000);
        let mut checkout = served(Service::Checkout, "POST", "/orders", "/orders".into(), own_us, calls);
        checkout.attributes.extend(user.clone());
        let call = self.called(Service::Frontend, checkout);
        let own_us = self.rng.u64(3_000..20_000);
        let mut root = served(Service::Frontend, "POST", "/checkout", "/checkout".into(), own_us, vec![call]);
        root.attributes.extend(user);
        self.browser(root)
    }

    fn cart(&mut self, method: &'static str, route: &'static str, command: &'static str, fate: Fate) -> Call {
        let cart = self.rng.u32(100_000..1_000_000);
        let redis = Call {
            service: Service::Cart,
            kind: Kind::Client,
            name: command.into(),
            attributes: vec![
                ("db.system.name", "redis".into()),
                ("db.namespace", "0".into()),
                ("db.operation.name", command.into()),
                ("db.query.text", format!("{command} cart:{cart} ?").into()),
                ("server.address", "carts.internal".into()),
                ("server.port", 6379.into()),
            ],
            own_us: self.rng.u64(100..1_500) + self.delay_us(fate),
            calls: Vec::new(),
            end: ended(fate, CONNECTION_LOST),
        };
        let own_us = self.rng.u64(200..2_000);
        served(Service::Cart, method, route, route.replace("{id}", &cart.to_string()), own_us, vec![redis])
    }

    fn payment(&mut self, fate: Fate) -> Call {
        let bank = Call {
            service: Service::Payment,
            kind: Kind::Client,
            name: "POST".into(),
            attributes: vec![
                ("http.request.method", "POST".into()),
                ("url.full", "https://bank.example/v2/charges".into()),
                ("server.address", "bank.example".into()),
                ("server.port", 443.into()),
                ("network.protocol.version", "2".into()),
            ],
            own_us: self.rng.u64(40_000..160_000) + self.delay_us(fate),
            calls: Vec::new(),
            end: ended(fate, BANK_SILENT),
        };
        let own_us = self.rng.u64(1_000..5_000);
        let mut payment = served(Service::Payment, "POST", "/charges", "/charges".into(), own_us, vec![bank]);
        payment.attributes.push(("payment.amount_cents", i64::from(self.rng.u32(500..50_000)).into()));
        payment
    }

    fn statement(
        &mut self,
        operation: &'static str,
        table: &'static str,
        text: &'static str,
        service: Service,
        fate: Fate,
    ) -> Call {
        Call {
            service,
            kind: Kind::Client,
            name: format!("{operation} {table}").into(),
            attributes: vec![
                ("db.system.name", "postgresql".into()),
                ("db.namespace", "shop".into()),
                ("db.operation.name", operation.into()),
                ("db.collection.name", table.into()),
                ("db.query.text", text.into()),
                ("server.address", "postgres.internal".into()),
                ("server.port", 5432.into()),
            ],
            own_us: self.rng.u64(400..25_000) + self.delay_us(fate),
            calls: Vec::new(),
            end: ended(fate, LOCK_TIMEOUT),
        }
    }

    /// Calls over the network, which takes some time of its own.
    fn called(&mut self, service: Service, callee: Call) -> Call {
        called(service, callee, self.rng.u64(300..2_000))
    }

    /// What a browser adds to a request.
    fn browser(&mut self, mut call: Call) -> Call {
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
        call.attributes.push(("user_agent.original", agent.into()));
        call.attributes.push(("client.address", format!("203.0.113.{}", self.rng.u8(1..255)).into()));
        call
    }

    fn user(&mut self) -> Attributes {
        let (id, email) = self.rng.choice(USERS).unwrap_or(("u-0", "nobody@example.com"));
        vec![("user.id", id.into()), (EMAIL, email.into())]
    }

    fn delay_us(&mut self, fate: Fate) -> u64 {
        if fate == Fate::Slow { self.rng.u64(1_050_000..3_500_000) } else { 0 }
    }
}

fn ended(fate: Fate, failure: Failure) -> End {
    if fate == Fate::Error { End::Failed(failure) } else { End::Fine }
}

#[cfg(test)]
mod tests;
