//! The messages of etcd's JSON gateway: bytes in base64, 64-bit numbers as strings, what is zero left out. Plain data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

/// Bytes as they are sent.
pub(super) fn coded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The end of the range of all keys that begin like this.
pub(super) fn after(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

fn number<'de, D: Deserializer<'de>, T: std::str::FromStr>(from: D) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| serde::de::Error::custom("no number"))
}

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

/// What every answer begins with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    #[serde(deserialize_with = "number")]
    pub(super) revision: i64,
    #[serde(deserialize_with = "number")]
    pub(super) cluster_id: u64,
    #[serde(deserialize_with = "number")]
    pub(super) member_id: u64,
}

/// A key and its value.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct KeyValue {
    #[serde(deserialize_with = "bytes")]
    pub(super) key: Vec<u8>,
    #[serde(deserialize_with = "bytes")]
    pub(super) value: Vec<u8>,
    #[serde(deserialize_with = "number")]
    pub(super) mod_revision: i64,
    #[serde(deserialize_with = "number")]
    pub(super) lease: i64,
}

impl KeyValue {
    /// The key behind this prefix.
    pub(super) fn below(&self, prefix: &str) -> Option<&str> {
        std::str::from_utf8(&self.key).ok()?.strip_prefix(prefix)
    }

    /// The value as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RangeAnswer {
    pub(super) header: Header,
    pub(super) kvs: Vec<KeyValue>,
    #[serde(deserialize_with = "number")]
    pub(super) count: i64,
}

/// The answers to the steps of a transaction of which one is wanted: a look.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct TxnAnswer {
    pub(super) header: Header,
    pub(super) succeeded: bool,
    pub(super) responses: Vec<StepAnswer>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct StepAnswer {
    pub(super) response_range: Option<RangeAnswer>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct LeaseAnswer {
    #[serde(rename = "ID", deserialize_with = "number")]
    pub(super) id: i64,
    #[serde(rename = "TTL", deserialize_with = "number")]
    pub(super) ttl: i64,
}

/// A message of a stream.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Streamed<T> {
    pub(super) result: Option<T>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct AuthAnswer {
    pub(super) token: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct StatusAnswer {
    pub(super) header: Header,
    pub(super) version: String,
    #[serde(deserialize_with = "number")]
    pub(super) leader: u64,
    pub(super) errors: Vec<String>,
}

/// Why etcd refuses; the codes are gRPC's.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorAnswer {
    pub(super) error: String,
    pub(super) message: String,
    pub(super) code: i64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct WatchAnswer {
    pub(super) header: Header,
    pub(super) canceled: bool,
    #[serde(deserialize_with = "number")]
    pub(super) compact_revision: i64,
    pub(super) events: Vec<Event>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) kv: KeyValue,
}

/// A look at all keys from `from` up to `to`, or at `from` alone.
#[derive(Debug, Clone, Default)]
pub(super) struct Range {
    pub(super) from: String,
    pub(super) to: Option<Vec<u8>>,
    pub(super) keys_only: bool,
    pub(super) count_only: bool,
    pub(super) limit: i64,
    pub(super) revision: i64,
}

impl Range {
    /// All keys that begin like this.
    pub(super) fn prefix(prefix: impl Into<String>) -> Range {
        let from = prefix.into();
        Range { to: Some(after(&from)), from, ..Range::default() }
    }

    /// This one key.
    pub(super) fn one(key: impl Into<String>) -> Range {
        Range { from: key.into(), ..Range::default() }
    }

    pub(super) fn json(&self) -> Value {
        let mut json = json!({ "key": coded(self.from.as_bytes()) });
        if let Some(to) = &self.to {
            json["range_end"] = coded(to).into();
        }
        if self.keys_only {
            json["keys_only"] = true.into();
        }
        if self.count_only {
            json["count_only"] = true.into();
        }
        if self.limit > 0 {
            json["limit"] = self.limit.to_string().into();
        }
        if self.revision > 0 {
            json["revision"] = self.revision.to_string().into();
        }
        json
    }
}

/// What must still be so for a transaction to be carried out.
#[derive(Debug, Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Compare {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    range_end: Option<String>,
    result: &'static str,
    target: &'static str,
    mod_revision: String,
}

impl Compare {
    /// The key was last written at this revision; 0: it is not there.
    pub(super) fn written_at(key: &str, revision: i64) -> Compare {
        Compare {
            key: coded(key.as_bytes()),
            range_end: None,
            result: "EQUAL",
            target: "MOD",
            mod_revision: revision.to_string(),
        }
    }

    /// Nothing has been written to the key after this revision.
    pub(super) fn unwritten_since(key: &str, revision: i64) -> Compare {
        let mod_revision = (revision + 1).to_string();
        Compare { result: "LESS", mod_revision, ..Compare::written_at(key, 0) }
    }

    /// Nothing has been written to any key that begins like this after this revision.
    pub(super) fn all_unwritten_since(prefix: &str, revision: i64) -> Compare {
        let range_end = Some(coded(&after(prefix)));
        Compare { range_end, ..Compare::unwritten_since(prefix, revision) }
    }
}

/// One step of a transaction.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Put {
        key: String,
        value: String,
        lease: i64,
    },
    Delete {
        key: String,
    },
    /// The key, and all that lie below it.
    DeleteTree {
        key: String,
    },
    Look(Range),
}

impl Step {
    pub(super) fn json(&self) -> Value {
        match self {
            Step::Put { key, value, lease } => {
                let mut put = json!({ "key": coded(key.as_bytes()), "value": coded(value.as_bytes()) });
                if *lease != 0 {
                    put["lease"] = lease.to_string().into();
                }
                json!({ "request_put": put })
            }
            Step::Delete { key } => json!({ "request_delete_range": { "key": coded(key.as_bytes()) } }),
            Step::DeleteTree { key } => {
                let end = coded(&tree_end(key));
                json!({ "request_delete_range": { "key": coded(key.as_bytes()), "range_end": end } })
            }
            Step::Look(range) => json!({ "request_range": range.json() }),
        }
    }
}

/// The end of the range of a key and all that lie below it.
pub(super) fn tree_end(key: &str) -> Vec<u8> {
    after(&format!("{key}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let text = r#"{"header":{"cluster_id":"324952591200643719","member_id":"3319814642761637952","revision":"3","raft_term":"2"},
            "succeeded":true,"responses":[{"response_range":{"header":{"revision":"3"},
            "kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"3","version":"2","value":"eQ=="}],"count":"1"}}]}"#;
        let answer: TxnAnswer = serde_json::from_str(text).unwrap();
        assert!(answer.succeeded);
        assert_eq!(answer.header.revision, 3);
        let range = answer.responses[0].response_range.as_ref().unwrap();
        assert_eq!((range.kvs[0].below("").unwrap(), range.kvs[0].text().as_str()), ("a", "y"));
        // What is zero is left out.
        let none: TxnAnswer = serde_json::from_str("{}").unwrap();
        assert!(!none.succeeded);
    }

    #[test]
    fn ranges_end_behind_all_that_begin_alike() {
        assert_eq!(after("ab"), b"ac");
        assert_eq!(tree_end("a"), b"a0");
    }
}
