//! Every setting's final value, in the form its kind gives it, and the steps from there to the types of [`Config`].
//!
//! Nothing here can fail for a reason outside this crate: the table has checked each value before it comes here, and
//! a test reads every key of the table.
//!
//! [`Config`]: super::typed::Config

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use super::net::Port;
use crate::base::secret::Secret;

const MIB: f64 = (1u64 << 20) as f64;
const GIB: f64 = (1u64 << 30) as f64;

/// One value per key of the table.
#[derive(Clone, Debug, Default)]
pub(super) struct Values(BTreeMap<&'static str, Value>);

impl Values {
    pub(super) fn set(&mut self, key: &'static str, value: Value) {
        self.0.insert(key, value);
    }

    pub(super) fn get(&self, key: &str) -> &Value {
        self.0.get(key).expect("every key of the table has a value")
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.get(key).as_bool().expect("checked by its kind")
    }

    pub(super) fn text(&self, key: &str) -> &str {
        self.some_text(key).expect("checked by its kind")
    }

    pub(super) fn some_text(&self, key: &str) -> Option<&str> {
        self.get(key).as_str()
    }

    pub(super) fn whole<T: TryFrom<u64, Error: Debug>>(&self, key: &str) -> T {
        let number = self.get(key).as_u64().expect("checked by its kind");
        T::try_from(number).expect("the range of its kind fits the type")
    }

    pub(super) fn seconds(&self, key: &str) -> Duration {
        Duration::from_secs_f64(self.number(key))
    }

    pub(super) fn some_seconds(&self, key: &str) -> Option<Duration> {
        self.get(key).as_f64().map(Duration::from_secs_f64)
    }

    pub(super) fn megabytes(&self, key: &str) -> usize {
        usize::try_from(bytes(self.number(key), MIB)).expect("the range of its kind fits the type")
    }

    pub(super) fn some_gigabytes(&self, key: &str) -> Option<u64> {
        self.get(key).as_f64().map(|number| bytes(number, GIB))
    }

    pub(super) fn parsed<T: FromStr<Err: Debug>>(&self, key: &str) -> T {
        self.text(key).parse().expect("checked by its kind")
    }

    pub(super) fn port(&self, key: &str) -> Port {
        match self.get(key).as_u64() {
            None => Port::Auto,
            Some(number) => Port::from(u16::try_from(number).expect("checked by its kind")),
        }
    }

    pub(super) fn list<T: FromStr<Err: Debug>>(&self, key: &str) -> Vec<T> {
        let items = self.get(key).as_array().expect("checked by its kind");
        let texts = items.iter().map(|item| item.as_str().expect("checked by its kind"));
        texts.map(|text| text.parse().expect("checked by its kind")).collect()
    }

    pub(super) fn secrets(&self, key: &str) -> BTreeMap<String, Secret> {
        let map = self.get(key).as_object().expect("checked by its kind");
        let secret = |value: &Value| Secret::new(value.as_str().expect("checked by its kind"));
        map.iter().map(|(name, value)| (name.clone(), secret(value))).collect()
    }

    fn number(&self, key: &str) -> f64 {
        self.get(key).as_f64().expect("checked by its kind")
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "kinds of size are positive and small"
)]
fn bytes(number: f64, unit: f64) -> u64 {
    (number * unit) as u64
}
