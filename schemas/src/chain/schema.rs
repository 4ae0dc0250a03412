//! The JSON Schema of an entry. The document is put together from three parts when it is written, so its schema is
//! too.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::members::Common;
use super::{Entry, Kind};

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct Document {
    #[serde(flatten)]
    common: Common,
    #[serde(flatten)]
    kind: Kind,
    /// Ed25519 signature by the key that the entry before named.
    sig: Signature,
}

struct Signature;

impl JsonSchema for Signature {
    fn schema_name() -> Cow<'static, str> {
        "Signature".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9a-f]{128}$"})
    }
}

impl JsonSchema for Entry {
    fn schema_name() -> Cow<'static, str> {
        "Entry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Document::json_schema(generator)
    }
}
