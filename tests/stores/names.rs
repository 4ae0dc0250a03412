//! Names in stores, whoever is recorded: hostile user and host names stay inside the prefix, keep the rule, and come back.
//!
//! The recorder runs in namespaces of its own (as root): a user database in which uid 0 has the name, a host that is called
//! so. Host names have 64 bytes at most, that is the kernel's; user names here have up to 300.

use std::ffi::OsStr;

use hansard_tests::call::Call;
use hansard_tests::servers::kafka::Kafka;
use hansard_tests::servers::seaweed::Seaweed;
use hansard_tests::{LONG, process};
use hansard_tests::{programs, terminal::Terminal};

use crate::shipped::{Shipped, in_bucket, in_directory};

/// `call` where uid 0 and the host have these names.
pub fn named(shipped: &Shipped, call: Call, user: &[u8], host: &[u8]) -> Call {
    let passwd = shipped.home.join("passwd");
    std::fs::write(&passwd, [user, b":x:0:0::/root:/bin/sh\n"].concat()).unwrap();
    let name = shipped.home.join("hostname");
    std::fs::write(&name, host).unwrap();
    let setup = "mount --bind \"$1\" /etc/passwd; cat \"$2\" >/proc/sys/kernel/hostname; shift 2; exec \"$@\"";
    let words: [&OsStr; 8] = [
        "--mount".as_ref(),
        "--uts".as_ref(),
        "--".as_ref(),
        "/bin/sh".as_ref(),
        "-ec".as_ref(),
        setup.as_ref(),
        "sh".as_ref(),
        passwd.as_os_str(),
    ];
    call.within(programs::outside("unshare"), words.into_iter().chain([name.as_os_str()]))
}

/// NAME-1, once more: from the text of the format and not from the code.
fn encoded(raw: &[u8]) -> String {
    if raw.is_empty() {
        return "~~".into();
    }
    let mut units = Vec::new();
    for (place, byte) in raw.iter().enumerate() {
        let inner = *byte == b'.' && place > 0 && place + 1 < raw.len();
        let plain = byte.is_ascii_alphanumeric() || *byte == b'-' || inner;
        units.push(if plain { char::from(*byte).to_string() } else { format!("~{byte:02x}") });
    }
    let whole = units.concat();
    if whole.len() <= 64 {
        return whole;
    }
    let mut cut = String::new();
    for unit in units {
        if cut.len() + unit.len() > 40 {
            break;
        }
        cut += &unit;
    }
    use sha2::Digest as _;
    format!("{cut}~~{}", &hex::encode(sha2::Sha256::digest(raw))[..16])
}

fn digits(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.chars().zip(shape.chars()).all(|(c, s)| if s == '0' { c.is_ascii_digit() } else { c == s })
}

fn hex16(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A path below the prefix keeps the rule of section 10 of the format.
fn keeps_the_rule(path: &str, user: &[u8], host: &[u8]) -> Result<(), String> {
    let parts: Vec<&str> = path.split('/').collect();
    let dated = |parts: &[&str]| digits(&parts.join("/"), "0000/00/00");
    let good = match parts[..] {
        ["segments", y, m, d, chain, session, file] => {
            let (number, digest) = file.trim_end_matches(".hseg").split_once('-').unwrap_or_default();
            dated(&[y, m, d]) && hex16(chain) && session.len() == 36 && digits(number, "000000") && hex16(digest)
        }
        ["chains", chain, file] => {
            chain.len() == 64 && digits(file.trim_end_matches(".hchain"), "000000000000-000000000000")
        }
        ["events", y, m, d, chain, file] => {
            let words: Vec<&str> = file.trim_end_matches(".json").split('_').collect();
            let [time, _kind, of_host, of_user, session] = words[..] else { return Err(format!("{path}: {words:?}")) };
            if of_host != encoded(host) || (of_user != encoded(user) && !session.starts_with('-')) {
                return Err(format!("{path}: the host should be {}, the user {}", encoded(host), encoded(user)));
            }
            dated(&[y, m, d]) && hex16(chain) && digits(time, "00000000T000000.000Z")
        }
        _ => false,
    };
    if good { Ok(()) } else { Err(format!("{path} breaks the rule")) }
}

#[test]
fn hostile_names_stay_inside_and_come_back() {
    let long = vec![b'x'; 300];
    let cases: [(&[u8], &[u8]); 8] = [
        (b"a/b", b"host/../../x"),
        (b"..", b".."),
        (b"_", b"_a_b_"),
        (b"@root", b"@host"),
        (&long, b"h12345678901234567890123456789012345678901234567890123456789.1"),
        ("ü\u{202e}name \u{4e16}\u{1f600}".as_bytes(), "h\u{f6}st\u{200b}".as_bytes()),
        (b"\x1b[31mred\x07", b"\x1b]0;title\x07"),
        (b"~~0123456789abcdef", b"~2e"),
    ];
    let (bucket, broker) = (Seaweed::shared().bucket("recordings-names"), Kafka::shared());
    let kafka = broker.place("names", 1);
    for (number, (user, host)) in cases.into_iter().enumerate() {
        let prefix = format!("deep/p{number}");
        let s3 = bucket.url(&prefix);
        let shipped = Shipped::to::<&str>(&[], "");
        let store = shipped.home.join("around/store");
        std::fs::create_dir_all(shipped.home.join("around")).unwrap();
        let file = format!("file://{}", store.display());
        shipped.configure(&[&file, &s3, &kafka], "");
        let (before, outside) = (bucket.keys("").unwrap(), std::fs::read_dir("/").unwrap().count());
        let call = shipped.run(&["/bin/echo", "words"]);
        let mut terminal = Terminal::running(&named(&shipped, call, user, host));
        assert_eq!(terminal.status(LONG), 0, "{}", terminal.text());

        let (of_file, of_s3) = (in_directory(&store), in_bucket(&bucket, &prefix));
        for (place, objects) in [(&file, &of_file), (&s3, &of_s3)] {
            for name in objects.keys() {
                keeps_the_rule(name, user, host).unwrap_or_else(|e| panic!("{place}: {e}"));
            }
            for started in [".started.json", ".stopped.json"] {
                assert!(objects.keys().any(|n| n.ends_with(started)), "{place}: no {started}: {:?}", objects.keys());
            }
        }
        // Nothing anywhere else.
        let after: Vec<String> = bucket.keys("").unwrap();
        let strays: Vec<_> =
            after.iter().filter(|k| !before.contains(k) && !k.starts_with(&format!("{prefix}/"))).collect();
        assert!(strays.is_empty(), "{strays:?}");
        let around = process::files_below(&shipped.home.join("around"));
        assert!(around.iter().all(|f| f.starts_with(&store)), "{around:?}");
        assert_eq!(std::fs::read_dir("/").unwrap().count(), outside);

        let (user, host) = (String::from_utf8_lossy(user), String::from_utf8_lossy(host));
        for place in [&file, &s3, &kafka] {
            let listed = shipped.replay(place, &["ls", "--long", "--json"]).ok();
            let last = listed.split(|b| *b == b'\n').rfind(|l| !l.is_empty()).unwrap();
            let row: serde_json::Value = serde_json::from_slice(last).unwrap();
            assert_eq!((row["user"].as_str(), row["host"].as_str()), (Some(&*user), Some(&*host)), "{place}: {row}");
            // For people nothing acts on the terminal.
            let table = shipped.replay(place, &["ls", "--long"]).ok();
            let acts = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202e}' | '\u{200b}');
            assert!(!String::from_utf8_lossy(&table).contains(acts), "{place}: {}", String::from_utf8_lossy(&table));
        }
        for place in [&file, &s3] {
            shipped.assert_complete(place);
        }
    }
}
