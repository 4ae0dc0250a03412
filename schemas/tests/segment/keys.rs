//! Keys lines: for whom they are sealed, who opens them, what is refused.

use hansard_schemas::Digest;
use hansard_schemas::keys::{
    EpochSecret, Identities, KeysLine, Recipients, SecretCache, SegmentSecret, generate_identity,
};
use hmac::Mac as _;

use super::fixture::{outcome, session};

const SSH: &str = include_str!("../../vectors/fixed/id_ed25519");

fn hmac(key: &[u8], label: &str) -> [u8; 32] {
    let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::Mac>::new_from_slice(key).unwrap();
    mac.update(label.as_bytes());
    mac.finalize().into_bytes().into()
}

#[test]
fn key_the_schedule_is_that_of_the_format() {
    let e0 = [9; 32];
    let e1 = hmac(&e0, "hansard/1 next");
    let commit = |epoch: &[u8]| Digest(hmac(&hmac(epoch, "hansard/1 segment"), "hansard/1 commit"));
    let (s0, next) = EpochSecret::from_bytes(&e0).advance();
    let (s1, _) = next.advance();
    assert_eq!([s0.commit(), s1.commit()], [commit(&e0), commit(&e1)]);
    let derived = |index| SegmentSecret::derive(&EpochSecret::from_bytes(&e0), index).unwrap().commit();
    assert_eq!([derived(0), derived(1)], [commit(&e0), commit(&e1)]);
}

#[test]
fn lim_10_an_index_over_the_limit_is_not_hashed_for() {
    let epoch = EpochSecret::generate();
    assert!(SegmentSecret::derive(&epoch, 65_535).is_ok());
    assert_eq!(outcome(&SegmentSecret::derive(&epoch, 65_536)), "limit");
    assert_eq!(outcome(&SegmentSecret::derive(&epoch, u32::MAX)), "limit");
}

#[test]
fn keys_every_recipient_opens_and_nobody_else() {
    let (a, to_a) = generate_identity();
    let (b, to_b) = generate_identity();
    let (stranger, _) = generate_identity();
    let ssh = Identities::parse(SSH).unwrap();
    let mut to = Recipients::parse_file(&format!("# two\n\n{to_a}\n {to_b} \n{to_a}\n")).unwrap();
    to.extend(ssh.recipients().unwrap());
    assert_eq!(to.ids().len(), 3, "one of each");
    assert!(to.ids()[2].starts_with("SHA256:"));
    let epoch = EpochSecret::generate();
    let keys = epoch.wrap(&to).unwrap();
    let commit = SegmentSecret::derive(&epoch, 0).unwrap().commit();
    for identities in [Identities::parse(&a).unwrap(), Identities::parse(&b).unwrap(), ssh] {
        let opened = keys.unwrap(&identities).unwrap();
        assert_eq!(SegmentSecret::derive(&opened, 0).unwrap().commit(), commit);
    }
    let refused = keys.unwrap(&Identities::parse(&stranger).unwrap()).unwrap_err();
    assert!(to.ids().iter().all(|id| refused.to_string().contains(id)), "{refused}");
    assert_eq!(outcome(&keys.unwrap(&Identities::new())), "no-recipient");
}

#[test]
fn keys_nobody_is_no_list_of_recipients() {
    assert!(EpochSecret::generate().wrap(&Recipients::new()).is_err());
    assert!(Recipients::parse_file("# none\n").is_err());
}

#[test]
fn keys_1_what_is_no_keys_line_is_told() {
    let lines: [&[u8]; 6] = [b"", b"{}", b"[]\n", b"{\"wraps\":[]}\n", b"{\"wraps\":{}}\n", b"\xff\n"];
    for line in lines {
        assert_eq!(outcome(&KeysLine::parse(line)), "bad-keys");
    }
    assert!(KeysLine::parse(b"{}\n").unwrap().is_erased());
    let mut long = b"{\"wraps\":[]".to_vec();
    long.resize(1 << 20, b' ');
    long.extend(b"}\n");
    assert_eq!(outcome(&KeysLine::parse(&long)), "limit");
}

#[test]
fn keys_2_another_line_is_altered_or_erased() {
    let session = session();
    let written = session.first(&[b"x"]);
    let header = written.writer.header();
    let mut cache = SecretCache::default();
    let other = EpochSecret::generate().wrap(&session.identities.recipients().unwrap()).unwrap();
    assert_eq!(outcome(&cache.secret(header, &other, &session.identities)), "altered");
    let erased = KeysLine::parse(b"{}\n").unwrap();
    assert_eq!(outcome(&cache.secret(header, &erased, &session.identities)), "erased");
    assert_eq!(outcome(&cache.secret(header, &session.keys, &session.identities)), "ok");
    // Unwrapped once, it is kept: nobody is asked again.
    assert_eq!(outcome(&cache.secret(header, &session.keys, &Identities::new())), "ok");
}

#[test]
fn keys_texts_of_the_wrong_kind_are_told_and_not_repeated() {
    let (secret, public) = generate_identity();
    let encrypted = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0\n";
    let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA== x";
    for text in [&secret, SSH, "age1nothing", "ssh-ed25519 AAAA", ecdsa, "hello", ""] {
        let error = Recipients::parse_file(text).unwrap_err().to_string();
        assert!(!error.contains("AGE-SECRET-KEY") && !error.contains("nothing"), "{error}");
    }
    for text in [&public, encrypted, "AGE-PLUGIN-YUBIKEY-1X", "age-encryption.org/v1\n", "AGE-SECRET-KEY-1NOTHING", ""]
    {
        let error = Identities::parse(text).unwrap_err().to_string();
        assert!(!error.contains("NOTHING"), "{error}");
    }
}

#[test]
fn keys_secrets_do_not_print() {
    let (secret, _) = generate_identity();
    let identities = Identities::parse(&secret).unwrap();
    let epoch = EpochSecret::from_bytes(&[0x41; 32]);
    let key = hansard_schemas::seal::SigningKey::from_bytes(&[0x41; 32]);
    let printed = format!("{identities:?} {epoch:?} {key:?}");
    assert!(!printed.contains("SECRET-KEY") && !printed.contains("65") && !printed.contains("4141"), "{printed}");
}
