//! The messages of etcd's API (its `rpc.proto`, `kv.proto`), as far as they are used here: by the numbers of their
//! fields, which never change. Plain data.

use prost::Message;

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

/// What every answer begins with.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Header {
    #[prost(uint64, tag = "1")]
    pub(super) cluster_id: u64,
    #[prost(int64, tag = "3")]
    pub(super) revision: i64,
}

/// A key and its value.
#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) key: Vec<u8>,
    #[prost(int64, tag = "3")]
    pub(super) mod_revision: i64,
    #[prost(bytes = "vec", tag = "5")]
    pub(super) value: Vec<u8>,
    #[prost(int64, tag = "6")]
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

#[derive(Clone, PartialEq, Message)]
pub(super) struct RangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    range_end: Vec<u8>,
    #[prost(int64, tag = "3")]
    limit: i64,
    #[prost(int64, tag = "4")]
    revision: i64,
    #[prost(bool, tag = "8")]
    keys_only: bool,
    #[prost(bool, tag = "9")]
    count_only: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RangeAnswer {
    #[prost(message, required, tag = "1")]
    pub(super) header: Header,
    #[prost(message, repeated, tag = "2")]
    pub(super) kvs: Vec<KeyValue>,
    #[prost(int64, tag = "4")]
    pub(super) count: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
    #[prost(int64, tag = "3")]
    pub(super) lease: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DeleteRangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) range_end: Vec<u8>,
}

/// One of these.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RequestOp {
    #[prost(message, optional, tag = "1")]
    range: Option<RangeRequest>,
    #[prost(message, optional, tag = "2")]
    put: Option<PutRequest>,
    #[prost(message, optional, tag = "3")]
    delete_range: Option<DeleteRangeRequest>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TxnRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) compare: Vec<Compare>,
    #[prost(message, repeated, tag = "2")]
    pub(super) success: Vec<RequestOp>,
    #[prost(message, repeated, tag = "3")]
    pub(super) failure: Vec<RequestOp>,
}

/// The answers to the steps of a transaction of which one is wanted: a look.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TxnAnswer {
    #[prost(message, required, tag = "1")]
    pub(super) header: Header,
    #[prost(bool, tag = "2")]
    pub(super) succeeded: bool,
    #[prost(message, repeated, tag = "3")]
    pub(super) responses: Vec<StepAnswer>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StepAnswer {
    #[prost(message, optional, tag = "1")]
    pub(super) response_range: Option<RangeAnswer>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LeaseGrantRequest {
    /// In seconds.
    #[prost(int64, tag = "1")]
    pub(super) ttl: i64,
}

/// To keep one alive, and to end it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct LeaseRequest {
    #[prost(int64, tag = "1")]
    pub(super) id: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LeaseAnswer {
    #[prost(int64, tag = "2")]
    pub(super) id: i64,
    /// In seconds.
    #[prost(int64, tag = "3")]
    pub(super) ttl: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AuthRequest {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) password: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AuthAnswer {
    #[prost(string, tag = "2")]
    pub(super) token: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StatusAnswer {
    #[prost(message, required, tag = "1")]
    pub(super) header: Header,
    #[prost(string, tag = "2")]
    pub(super) version: String,
    #[prost(uint64, tag = "4")]
    pub(super) leader: u64,
    #[prost(string, repeated, tag = "8")]
    pub(super) errors: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WatchRequest {
    #[prost(message, required, tag = "1")]
    pub(super) create: WatchCreateRequest,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WatchCreateRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) range_end: Vec<u8>,
    #[prost(int64, tag = "3")]
    pub(super) start_revision: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WatchAnswer {
    #[prost(bool, tag = "4")]
    pub(super) canceled: bool,
    #[prost(int64, tag = "5")]
    pub(super) compact_revision: i64,
    #[prost(message, repeated, tag = "11")]
    pub(super) events: Vec<Event>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Event {
    #[prost(message, required, tag = "2")]
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

    pub(super) fn request(&self) -> RangeRequest {
        RangeRequest {
            key: self.from.clone().into_bytes(),
            range_end: self.to.clone().unwrap_or_default(),
            limit: self.limit,
            revision: self.revision,
            keys_only: self.keys_only,
            count_only: self.count_only,
        }
    }
}

/// etcd's word for "equal", for "less", and for the revision at which a key was last written.
const EQUAL: i32 = 0;
const LESS: i32 = 2;
const MOD: i32 = 2;

/// What must still be so for a transaction to be carried out.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Compare {
    #[prost(int32, tag = "1")]
    result: i32,
    #[prost(int32, tag = "2")]
    target: i32,
    #[prost(bytes = "vec", tag = "3")]
    key: Vec<u8>,
    /// One of several that it could be compared with: said even where it is 0.
    #[prost(int64, optional, tag = "6")]
    mod_revision: Option<i64>,
    #[prost(bytes = "vec", tag = "64")]
    range_end: Vec<u8>,
}

impl Compare {
    /// The key was last written at this revision; 0: it is not there.
    pub(super) fn written_at(key: &str, revision: i64) -> Compare {
        Compare {
            result: EQUAL,
            target: MOD,
            key: key.as_bytes().to_vec(),
            mod_revision: Some(revision),
            range_end: Vec::new(),
        }
    }

    /// Nothing has been written to the key after this revision.
    pub(super) fn unwritten_since(key: &str, revision: i64) -> Compare {
        Compare { result: LESS, mod_revision: Some(revision + 1), ..Compare::written_at(key, 0) }
    }

    /// Nothing has been written to any key that begins like this after this revision.
    pub(super) fn all_unwritten_since(prefix: &str, revision: i64) -> Compare {
        Compare { range_end: after(prefix), ..Compare::unwritten_since(prefix, revision) }
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
    pub(super) fn request(&self) -> RequestOp {
        let mut request = RequestOp::default();
        match self {
            Step::Put { key, value, lease } => {
                let (key, value) = (key.clone().into_bytes(), value.clone().into_bytes());
                request.put = Some(PutRequest { key, value, lease: *lease });
            }
            Step::Delete { key } => {
                let key = key.clone().into_bytes();
                request.delete_range = Some(DeleteRangeRequest { key, range_end: Vec::new() });
            }
            Step::DeleteTree { key } => {
                let range_end = tree_end(key);
                request.delete_range = Some(DeleteRangeRequest { key: key.clone().into_bytes(), range_end });
            }
            Step::Look(range) => request.range = Some(range.request()),
        }
        request
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
    fn ranges_end_behind_all_that_begin_alike() {
        assert_eq!(after("ab"), b"ac");
        assert_eq!(tree_end("a"), b"a0");
    }

    #[test]
    fn what_is_compared_with_nothing_says_so() {
        // Field 6, a number, 0: else etcd would compare with what was left out.
        let bytes = Compare::written_at("k", 0).encode_to_vec();
        assert!(bytes.windows(2).any(|w| w == [6 << 3, 0]), "{bytes:?}");
    }
}
