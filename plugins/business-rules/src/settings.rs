//! What the operator writes.

use serde::Deserialize;
use tailrace_sdk::Value;

/// Most different values of `some_of_each` that may be counted.
const VALUES_MAX: usize = 100_000;

/// The configuration. At least one rule.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Numbers that make a trace worth keeping.
    pub amounts: Vec<Amount>,
    /// Values that make a trace worth keeping.
    pub values: Vec<OneOf>,
    /// Some traces of each value of an attribute.
    pub some_of_each: Option<SomeOfEach>,
}

/// `{key: order.amount, at_least: 500}`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// The attribute, which must be a number; a text never reaches an amount.
    pub key: String,
    /// The least number that counts.
    pub at_least: f64,
}

/// `{key: customer.tier, one_of: [gold, platinum]}`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneOf {
    /// The attribute.
    pub key: String,
    /// What it must be.
    pub one_of: Vec<Wanted>,
}

/// A value as the operator writes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a value in one_of must be a text, a number, true or false")]
pub enum Wanted {
    /// `true`
    Bool(bool),
    /// `42`; a double of the same number counts too.
    Int(i64),
    /// `4.2`
    Double(f64),
    /// `gold`
    Text(String),
}

/// `{key: http.route, per_minute: 10}`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SomeOfEach {
    /// The attribute, or field (`span.name`), whose values are told apart.
    #[serde(default = "route")]
    pub key: String,
    /// Traces of each value in a minute.
    pub per_minute: u32,
    /// Values that are told apart; the rest share what one of them gets.
    #[serde(default = "max_values")]
    pub max_values: usize,
}

fn route() -> String {
    "http.route".to_owned()
}

fn max_values() -> usize {
    1000
}

impl Config {
    /// Finds what the types cannot say.
    ///
    /// # Errors
    /// The fault, with the path to it.
    pub fn check(&self) -> Result<(), String> {
        if self.amounts.is_empty() && self.values.is_empty() && self.some_of_each.is_none() {
            return Err("there is no rule: give amounts, values or some_of_each".to_owned());
        }
        for (at, amount) in self.amounts.iter().enumerate() {
            named(&amount.key).map_err(|fault| format!("amounts[{at}].key: {fault}"))?;
            if !amount.at_least.is_finite() {
                return Err(format!("amounts[{at}].at_least: must be a finite number"));
            }
        }
        for (at, rule) in self.values.iter().enumerate() {
            named(&rule.key).map_err(|fault| format!("values[{at}].key: {fault}"))?;
            if rule.one_of.is_empty() {
                return Err(format!("values[{at}].one_of: is empty, so that no trace would ever be kept by it"));
            }
        }
        let Some(some) = &self.some_of_each else { return Ok(()) };
        named(&some.key).map_err(|fault| format!("some_of_each.key: {fault}"))?;
        if some.per_minute == 0 {
            return Err("some_of_each.per_minute: must be at least 1; leave some_of_each out to keep none".to_owned());
        }
        if !(1..=VALUES_MAX).contains(&some.max_values) {
            return Err(format!("some_of_each.max_values: must be between 1 and {VALUES_MAX}"));
        }
        Ok(())
    }

    /// Every key that a rule names, once.
    pub fn keys(&self) -> Vec<&str> {
        let amounts = self.amounts.iter().map(|rule| rule.key.as_str());
        let values = self.values.iter().map(|rule| rule.key.as_str());
        let mut keys: Vec<_> =
            amounts.chain(values).chain(self.some_of_each.iter().map(|some| some.key.as_str())).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// A key is the name of one attribute; a `*` would ask the host for all that begin so and then match none of them.
fn named(key: &str) -> Result<(), &'static str> {
    match key {
        "" => Err("must not be empty"),
        key if key.ends_with('*') => Err("must be a whole key, without *"),
        _ => Ok(()),
    }
}

impl Amount {
    /// Whether the value is a number of at least this amount.
    pub fn is_reached_by(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Int(number) => *number as f64 >= self.at_least,
            Value::Double(number) => *number >= self.at_least,
            _ => false,
        }
    }
}

impl OneOf {
    /// Whether the value is one of those.
    pub fn has(&self, value: &Value<'_>) -> bool {
        self.one_of.iter().any(|wanted| wanted.is(value))
    }
}

impl Wanted {
    fn is(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Bool(wanted), Value::Bool(found)) => wanted == found,
            (Self::Int(wanted), Value::Int(found)) => wanted == found,
            (Self::Int(wanted), Value::Double(found)) => *wanted as f64 == *found,
            (Self::Double(wanted), Value::Double(found)) => wanted == found,
            (Self::Double(wanted), Value::Int(found)) => *wanted == *found as f64,
            (Self::Text(wanted), Value::String(found)) => wanted == found,
            _ => false,
        }
    }
}
