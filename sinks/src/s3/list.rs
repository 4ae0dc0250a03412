//! Listing: all pages, with keys that a hostile writer chose.
//!
//! Keys are asked for percent-encoded, since XML cannot hold every character that a key may have, and one such key
//! would hide all others.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::types::EncodingType;

use super::client::Connection;
use super::errors::{failed, status};
use crate::Result;
use crate::address::percent_decode;

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Its key below the store's prefix.
    pub key: String,
    /// Its version, where it must be named to be read.
    pub version: Option<String>,
    /// Its length.
    pub bytes: u64,
}

/// Objects, and what ends in a slash after the prefix.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub items: Vec<Item>,
    pub folders: Vec<String>,
}

/// Lists a place.
pub(super) struct Lister<'a> {
    pub connection: &'a Connection,
    /// Set when the server said that it keeps no versions, or that we may not see them.
    pub unversioned: &'a AtomicBool,
}

impl Lister<'_> {
    /// What lies below `under` (ending in a slash, or empty) as it is now; with `folders` only one level.
    pub fn now(&self, under: &str, folders: bool) -> Result<Listing> {
        let prefix = format!("{}{under}", self.connection.options.prefix);
        let mut listing = Listing::default();
        let mut token: Option<String> = None;
        loop {
            let (prefix, from) = (prefix.clone(), token.take());
            let page = self.connection.call(&self.name(under), "list", 0, |client, options| {
                client
                    .list_objects_v2()
                    .bucket(options.bucket)
                    .prefix(prefix)
                    .set_delimiter(folders.then(|| "/".to_owned()))
                    .encoding_type(EncodingType::Url)
                    .set_continuation_token(from)
                    .send()
            })?;
            let encoded = page.encoding_type() == Some(&EncodingType::Url);
            for object in page.contents() {
                let Some(key) = object.key().and_then(|key| self.below(key, encoded)) else { continue };
                let bytes = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
                listing.items.push(Item { key, version: None, bytes });
            }
            let found = page.common_prefixes().iter().filter_map(|one| self.below(one.prefix()?, encoded));
            listing.folders.extend(found);
            token = page.next_continuation_token().map(str::to_owned);
            if page.is_truncated() != Some(true) || token.is_none() {
                return Ok(listing);
            }
        }
    }

    /// Every version of every object below `under`; what is there now, where versions cannot be had. A mark that an
    /// object was deleted is none of its versions.
    pub fn versions(&self, under: &str) -> Result<Vec<Item>> {
        if self.unversioned.load(Ordering::Relaxed) {
            return Ok(self.now(under, false)?.items);
        }
        let prefix = format!("{}{under}", self.connection.options.prefix);
        let name = self.name(under);
        let mut items = Vec::new();
        let (mut key_from, mut version_from): (Option<String>, Option<String>) = (None, None);
        loop {
            let (prefix, key, version) = (prefix.clone(), key_from.take(), version_from.take());
            let answer = self.connection.answer(&name, "list", 0, |client, options| {
                client
                    .list_object_versions()
                    .bucket(options.bucket)
                    .prefix(prefix)
                    .encoding_type(EncodingType::Url)
                    .set_key_marker(key)
                    .set_version_id_marker(version)
                    .send()
            })?;
            let page = match answer {
                Ok(page) => page,
                Err(error) if items.is_empty() && matches!(status(&error), 400 | 403 | 405 | 501) => {
                    let plain = self.now(under, false)?;
                    self.unversioned.store(true, Ordering::Relaxed);
                    return Ok(plain.items);
                }
                Err(error) => return Err(failed(&name, "list", &error)),
            };
            let encoded = page.encoding_type() == Some(&EncodingType::Url);
            for object in page.versions() {
                let Some(key) = object.key().and_then(|key| self.below(key, encoded)) else { continue };
                let bytes = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
                // Of a bucket without versions the only one is called null, and need not be named.
                let plain = object.is_latest() == Some(true) && object.version_id() == Some("null");
                let version = object.version_id().filter(|_| !plain).map(str::to_owned);
                items.push(Item { key, version, bytes });
            }
            key_from = page.next_key_marker().and_then(|key| if encoded { decode(key) } else { Some(key.into()) });
            version_from = page.next_version_id_marker().map(str::to_owned);
            if page.is_truncated() != Some(true) || key_from.is_none() {
                return Ok(items);
            }
        }
    }

    /// A key below the store's prefix. One that is not percent-encoded UTF-8 stays as it came: it is no name of ours.
    fn below(&self, key: &str, encoded: bool) -> Option<String> {
        let key = if encoded { decode(key).unwrap_or_else(|| key.to_owned()) } else { key.to_owned() };
        key.strip_prefix(&self.connection.options.prefix).map(str::to_owned)
    }

    fn name(&self, under: &str) -> String {
        format!("s3://{}/{}{under}", self.connection.options.bucket, self.connection.options.prefix)
    }
}

fn decode(key: &str) -> Option<String> {
    String::from_utf8(percent_decode(key.replace('+', " ").as_bytes())?).ok()
}

/// The last component of a folder's name.
pub(super) fn last(folder: &str) -> &str {
    folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}
