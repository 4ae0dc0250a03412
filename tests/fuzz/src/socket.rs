//! What anybody can send to the agent's socket, and an agent to a tee.

use hansard_tee::wire::{FRAME_MAX, FromAgent, FromTee, split};

pub fn run(data: &[u8]) {
    let mut rest = data;
    while let Ok(Some((kind, body, length))) = split(rest, FRAME_MAX) {
        assert!(body.len() < length && length <= rest.len(), "a frame is a part of what came");
        // What is read as a frame is one: written again, it reads the same.
        let mut bytes = Vec::new();
        if let Ok(frame) = FromTee::read(kind, body) {
            frame.put(&mut bytes);
            let (kind, body, _) = split(&bytes, FRAME_MAX).expect("a frame").expect("a whole one");
            let again = FromTee::read(kind, body).expect("a frame of a tee");
            // Names of processes that are not UTF-8 are longer as text, and are cut when they are written.
            assert!(matches!(frame, FromTee::Exit(..)) || again == frame, "{frame:?}");
        }
        bytes.clear();
        if let Ok(frame) = FromAgent::read(kind, body) {
            frame.put(&mut bytes);
            let (kind, body, _) = split(&bytes, FRAME_MAX).expect("a frame").expect("a whole one");
            assert_eq!(FromAgent::read(kind, body).expect("a frame of an agent"), frame);
        }
        rest = &rest[length..];
    }
}
