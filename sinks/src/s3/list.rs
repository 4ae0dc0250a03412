//! Listing: all pages, with keys that a hostile writer chose.
//!
//! Keys are asked for percent-encoded, since XML cannot hold every character that a key may have, and one such key
//! would hide all others. A page has a thousand keys and comes after the one before it: what is long is asked for in
//! parts side by side.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::types::EncodingType;

use super::client::Connection;
use super::errors::{failed, status};
use crate::Result;
use crate::address::percent_decode;
use crate::parallel::{REQUESTS, each};

/// What the id of a chain begins with.
const DIGITS: &str = "0123456789abcdef";

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Its key below the store's prefix.
    pub key: String,
    /// Its version, where it must be named to be read.
    pub version: Option<String>,
    /// Its length.
    pub bytes: u64,
    /// Whether it is what lies there now, and no older version.
    pub latest: bool,
}

/// Objects, and what ends in a slash after the prefix.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub items: Vec<Item>,
    pub folders: Vec<String>,
}

/// What is listed of each object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// What is there now.
    Now,
    /// Every version; what is there now, where versions cannot be had. A mark that an object was deleted is none of its
    /// versions.
    Versions,
}

/// Where a listing goes on.
#[derive(Debug, Clone)]
enum From {
    Token(String),
    Version(String, Option<String>),
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
        let (mut listing, mut from) = (Listing::default(), None);
        loop {
            let (page, next) = self.page_now(under, folders, from)?;
            listing.items.extend(page.items);
            listing.folders.extend(page.folders);
            match next {
                Some(next) => from = Some(next),
                None => return Ok(listing),
            }
        }
    }

    /// The folders of one level below each of some.
    pub fn folders(&self, unders: &[String]) -> Result<Vec<String>> {
        Ok(each(unders, REQUESTS, |under| self.now(under, true))?.into_iter().flat_map(|found| found.folders).collect())
    }

    /// Every object below `under`, or every version of each.
    pub fn all(&self, under: &str, of: Of) -> Result<Vec<Item>> {
        let (mut items, mut from) = (Vec::new(), None);
        loop {
            let (page, next) = self.page(under, of, from)?;
            items.extend(page);
            match next {
                Some(next) => from = Some(next),
                None => return Ok(items),
            }
        }
    }

    /// The same of several places below which the ids of chains follow, in no order. A place of more than a page is
    /// listed by their first digits, and what begins with none is left out there.
    pub fn all_of_chains(&self, unders: &[String], of: Of) -> Result<Vec<Item>> {
        let (mut items, mut longer) = (Vec::new(), Vec::new());
        for (under, page) in unders.iter().zip(self.pages(unders, of)?) {
            match page {
                Some(page) => items.extend(page),
                None => longer.extend(DIGITS.chars().map(|digit| format!("{under}{digit}"))),
            }
        }
        each(&longer, REQUESTS, |under| self.all(under, of))?.into_iter().for_each(|found| items.extend(found));
        Ok(items)
    }

    /// What lies below each place, where that is one page only.
    pub fn pages(&self, unders: &[String], of: Of) -> Result<Vec<Option<Vec<Item>>>> {
        each(unders, REQUESTS, |under| {
            let (page, next) = self.page(under, of, None)?;
            Ok(next.is_none().then_some(page))
        })
    }

    fn page(&self, under: &str, of: Of, from: Option<From>) -> Result<(Vec<Item>, Option<From>)> {
        // What was begun one way goes on that way, whatever another listing finds out meanwhile.
        let versions = match &from {
            Some(From::Version(..)) => true,
            Some(From::Token(_)) => false,
            None => of == Of::Versions && !self.unversioned.load(Ordering::Relaxed),
        };
        if versions && let Some(page) = self.page_of_versions(under, from.clone())? {
            return Ok(page);
        }
        let (page, next) = self.page_now(under, false, from)?;
        if versions {
            self.unversioned.store(true, Ordering::Relaxed);
        }
        Ok((page.items, next))
    }

    fn page_now(&self, under: &str, folders: bool, from: Option<From>) -> Result<(Listing, Option<From>)> {
        let prefix = format!("{}{under}", self.connection.options.prefix);
        let token = match from {
            Some(From::Token(token)) => Some(token),
            _ => None,
        };
        let name = self.name(under);
        let page = self.connection.ask(
            &name,
            "list",
            0,
            |_| false,
            |client, options| {
                client
                    .list_objects_v2()
                    .bucket(options.bucket)
                    .prefix(&prefix)
                    .set_delimiter(folders.then(|| "/".to_owned()))
                    .encoding_type(EncodingType::Url)
                    .set_continuation_token(token.clone())
                    .send()
            },
        )?;
        let page = page.map_err(|error| failed(&name, "list", &error))?;
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        let mut listing = Listing::default();
        for object in page.contents() {
            let Some(key) = object.key().and_then(|key| self.below(key, encoded)) else { continue };
            let bytes = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
            listing.items.push(Item { key, version: None, bytes, latest: true });
        }
        let found = page.common_prefixes().iter().filter_map(|one| self.below(one.prefix()?, encoded));
        listing.folders.extend(found);
        let token = page.next_continuation_token().filter(|_| page.is_truncated() == Some(true));
        Ok((listing, token.map(|token| From::Token(token.to_owned()))))
    }

    /// A page of versions; none where they cannot be had.
    fn page_of_versions(&self, under: &str, from: Option<From>) -> Result<Option<(Vec<Item>, Option<From>)>> {
        let prefix = format!("{}{under}", self.connection.options.prefix);
        let name = self.name(under);
        let is_first = from.is_none();
        let (key, version) = match from {
            Some(From::Version(key, version)) => (Some(key), version),
            _ => (None, None),
        };
        let answer = self.connection.ask(
            &name,
            "list",
            0,
            |_| false,
            |client, options| {
                client
                    .list_object_versions()
                    .bucket(options.bucket)
                    .prefix(&prefix)
                    .encoding_type(EncodingType::Url)
                    .set_key_marker(key.clone())
                    .set_version_id_marker(version.clone())
                    .send()
            },
        )?;
        let page = match answer {
            Ok(page) => page,
            Err(error) if is_first && matches!(status(&error), 400 | 403 | 405 | 501) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(&name, "list", &error)),
        };
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        let mut items = Vec::new();
        for object in page.versions() {
            let Some(key) = object.key().and_then(|key| self.below(key, encoded)) else { continue };
            let bytes = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
            let latest = object.is_latest() == Some(true);
            // Of a bucket without versions the only one is called null, and need not be named.
            let plain = latest && object.version_id() == Some("null");
            let version = object.version_id().filter(|_| !plain).map(str::to_owned);
            items.push(Item { key, version, bytes, latest });
        }
        let key = page.next_key_marker().and_then(|key| if encoded { decode(key) } else { Some(key.into()) });
        let next = key.filter(|_| page.is_truncated() == Some(true));
        let version = page.next_version_id_marker().map(str::to_owned);
        Ok(Some((items, next.map(|key| From::Version(key, version)))))
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

/// Whether the id of a chain can begin so.
pub(super) fn is_digit(first: char) -> bool {
    DIGITS.contains(first)
}

/// The last component of a folder's name.
pub(super) fn last(folder: &str) -> &str {
    folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}
