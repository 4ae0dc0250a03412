//! A page: one HTML file that plays a recording in a browser, without network and without anything beside it.
//!
//! The player is `page/player.js`, the frames are those of [`super::frames`]. A content security policy lets run what has
//! the digest of that player and nothing else, and lets nothing be fetched; recorded text stands in a JSON element that it
//! cannot end, and goes into the page as text.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hansard_schemas::names::safe;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::frames::inside_page;
use super::still::escaped;

const PLAYER: &str = include_str!("page/player.js");
const STYLE: &str = include_str!("page/style.css");

/// What a page says of its recording beside the frames.
pub struct About {
    /// Host, user, command.
    pub title: String,
    /// When the session started, in milliseconds since 1970; `None` when its beginning is gone.
    pub started_ms: Option<i64>,
    /// What a viewer must know of the recording.
    pub doubts: Option<String>,
}

/// Writes the page; `frames` is what [`super::frames::Frames::finish`] gave.
pub fn write(about: &About, frames: &str, out: &mut impl Write) -> io::Result<()> {
    let (title, doubts) = (safe(&about.title), about.doubts.as_deref().map(safe));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        digest(PLAYER),
        digest(STYLE)
    );
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        escaped(&title)
    )?;
    out.write_all(BODY.as_bytes())?;
    write!(
        out,
        "<script type=\"application/json\" id=\"data\">{{\n\"title\":{},\"started\":{},\"doubts\":{},\n",
        inside_page(&json!(title)),
        json!(about.started_ms),
        inside_page(&json!(doubts))
    )?;
    out.write_all(frames.as_bytes())?;
    write!(out, "}}</script>\n<script>{PLAYER}</script>\n</body>\n</html>\n")
}

/// What the player fills. Its controls have names for those who do not see them.
const BODY: &str = r#"<header><h1 id="title"></h1><p id="doubts" role="alert" hidden></p></header>
<noscript><p>This page needs JavaScript: its own, which stands in it. Nothing is fetched.</p></noscript>
<main><div id="screen" role="document" aria-label="Recorded screen" tabindex="0"><div id="cursor" aria-hidden="true"></div></div><span id="probe" aria-hidden="true">MMMMMMMMMMMMMMMMMMMM</span></main>
<footer>
<div id="track"><div id="marks" role="group" aria-label="Markers and gaps"></div><input id="position" type="range" min="0" max="0" step="1" value="0" aria-label="Position"></div>
<div id="controls"><button id="play" type="button">Play</button><label>Speed <select id="speed"></select></label><output id="status" aria-live="off"></output><span id="notice" role="status"></span></div>
<div id="keys">space play · ←→ 5 s · ↑↓ 1 min · , . frame · [ ] marker · − + speed · 0–9 tenths · home end</div>
</footer>
"#;

fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{About, PLAYER, STYLE, write};

    fn page(title: &str, doubts: Option<&str>) -> String {
        let about = About { title: title.into(), started_ms: Some(1), doubts: doubts.map(str::to_owned) };
        let mut out = Vec::new();
        write(&about, "\"length\":0", &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_page_has_one_script_and_fetches_nothing() {
        let page = page("web1", None);
        let policy = "content=\"default-src 'none'; script-src 'sha256-";
        assert!(page.contains(policy), "{page}");
        assert_eq!(page.matches("<script").count(), 2, "the data and the player");
        assert_eq!(page.matches("<script>").count(), 1);
        for word in ["http://", "https://", "src=", "href", "@import", "url(", "unsafe-", "onclick", " style="] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn the_player_puts_text_in_as_text() {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "fetch(",
            "XMLHttpRequest",
            "import(",
            "WebSocket",
            "</script",
        ] {
            assert!(!PLAYER.contains(word), "{word}");
        }
        assert!(!STYLE.contains('<'));
    }

    #[test]
    fn names_cannot_leave_their_place() {
        let page = page("</title><script>x</script>\u{1b}[2J\"", Some("</script><b>"));
        assert_eq!(page.matches("<script").count(), 2);
        assert!(!page.contains("<b>") && !page.contains('\u{1b}'), "{page}");
        let title = "<title>&lt;/title&gt;&lt;script&gt;x";
        assert!(page.contains(title), "{page}");
    }
}
