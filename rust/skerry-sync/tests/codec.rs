//! The codec of messages: inverse, canonical, bounded, and refusing by name.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use common::generate::{client_message, server_message};
use common::sample;
use proptest::prelude::*;
use skerry_model::{ClientVersion, ObjectKey, ServerVersion};
use skerry_sync::limits;
use skerry_sync::protocol::{
    CodecError, ErrorMessage, ProtocolErrorCode, RejectedUpdate, ServerMessage,
    decode_client_message, decode_server_message, encode_client_message, encode_server_message,
};

proptest! {
    #[test]
    fn client_messages_come_back(message in client_message()) {
        let frame = encode_client_message(&message);
        prop_assert_eq!(decode_client_message(&frame), Ok(message));
    }

    #[test]
    fn server_messages_come_back(message in server_message()) {
        let frame = encode_server_message(&message);
        prop_assert_eq!(decode_server_message(&frame), Ok(message));
    }

    /// Whatever is accepted is the one encoding of what it means; an unknown action is the only
    /// text that is read as another.
    #[test]
    fn any_bytes_end_in_a_message_or_a_named_error(frame in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = decode_client_message(&frame) {
            prop_assert_eq!(&encode_client_message(&message), &frame);
        }
        match decode_server_message(&frame) {
            Ok(ServerMessage::Error(_)) | Err(_) => {}
            Ok(message) => prop_assert_eq!(&encode_server_message(&message), &frame),
        }
    }

    /// Frames that are nearly right reach deeper than random ones.
    #[test]
    fn damaged_frames_end_in_a_message_or_a_named_error(
        client in client_message(),
        server in server_message(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut frame = encode_client_message(&client);
        let end = frame.len();
        frame[at.index(end)] = byte;
        if let Ok(message) = decode_client_message(&frame) {
            prop_assert_eq!(&encode_client_message(&message), &frame);
        }
        let whole = encode_client_message(&client);
        prop_assert!(decode_client_message(&whole[..cut.index(whole.len())]).is_err());

        let mut frame = encode_server_message(&server);
        let end = frame.len();
        frame[at.index(end)] = byte;
        let _ = decode_server_message(&frame).map(|message| encode_server_message(&message));
        let whole = encode_server_message(&server);
        prop_assert!(decode_server_message(&whole[..cut.index(whole.len())]).is_err());
    }

    #[test]
    fn a_message_never_passes_in_the_wrong_direction(client in client_message(), server in server_message()) {
        let unknown = |error: CodecError| error.protocol_code() == ProtocolErrorCode::UnknownMessage;
        prop_assert!(decode_server_message(&encode_client_message(&client)).is_err_and(unknown));
        prop_assert!(decode_client_message(&encode_server_message(&server)).is_err_and(unknown));
    }
}

fn code_of(frame: &[u8]) -> ProtocolErrorCode {
    decode_client_message(frame).expect_err("it is bad").protocol_code()
}

#[test]
fn each_kind_of_fault_has_its_code() {
    use ProtocolErrorCode::{BadSyntax, LimitsExceeded, UnknownMessage};
    let good = encode_client_message(&sample::client_messages()[4]);
    assert_eq!(good, [0x93, 5, 1, 1]);
    for (frame, expected) in [
        (&[][..], BadSyntax),                                       // nothing
        (&[0x90], BadSyntax),                                       // no code
        (&[0xc0], BadSyntax),                                       // not an array
        (&[0x91, 0xa1, 0x61], BadSyntax),                           // the code is a text
        (&[0x92, 99, 1], UnknownMessage),                           // no such code
        (&[0x92, 0xff, 1], UnknownMessage),                         // a negative code
        (&[0x92, 5, 1], BadSyntax),                                 // a field missing
        (&[0x94, 5, 1, 1, 1], BadSyntax),                           // a field too many
        (&[0x93, 5, 1, 1, 0], BadSyntax),                           // trailing byte
        (&[0x93, 5, 0, 1], BadSyntax),                              // session 0
        (&[0x93, 5, 0xcc, 1, 1], BadSyntax),                        // not the shortest form
        (&[0x93, 5, 1, 0xcf, 255, 0, 0, 0, 0, 0, 0, 0], BadSyntax), // beyond int64
        (&[0x93, 7, 0xff, 0], BadSyntax),                           // negative time
        (&[0x95, 1, 1, 2, 0, 0xc2], BadSyntax),                     // session reason 2
        (&[0x94, 8, 1, 100, 0xa0], BadSyntax),                      // connection error in a session
        (&[0x94, 3, 1, 1, 0xde, 0xff, 0xff], BadSyntax),            // a map longer than the frame
        (&[0x94, 3, 1, 1, 0x82, 0xa1, 0x62, 0xa0, 0xa1, 0x61, 0xa0], BadSyntax), // not ascending
        (&[0x94, 3, 1, 1, 0x82, 0xa1, 0x61, 0xa0, 0xa1, 0x61, 0xa0], BadSyntax), // a class twice
    ] {
        assert_eq!(code_of(frame), expected, "{frame:02x?}");
    }
    let mut long_class = vec![0x94, 3, 1, 1, 0x81, 0xd9, 58];
    long_class.extend([b'a'; 58]);
    long_class.push(0xa0);
    assert_eq!(code_of(&long_class), LimitsExceeded);
    let huge = vec![0; limits::CLIENT_MESSAGE_MAX_BYTES + 1];
    assert_eq!(code_of(&huge), LimitsExceeded);
}

#[test]
fn changesets_are_bounded_one_by_one_and_together() {
    use skerry_sync::protocol::ClientMessage;
    let of = |sizes: &[usize]| {
        let entries = sizes.iter().zip(1..).map(|(&size, version)| {
            let mut entry = sample::upload_entry(version, 0);
            entry.changeset = vec![0; size].into();
            entry
        });
        let upload = sample::upload((9, 0), entries.collect());
        decode_client_message(&encode_client_message(&ClientMessage::Upload(upload)))
    };
    let most = limits::CHANGESETS_MAX_BYTES;
    assert!(of(&[most]).is_ok());
    for sizes in [&[most + 1][..], &[most, 1]] {
        let error = of(sizes).expect_err("too much");
        assert_eq!(error.protocol_code(), ProtocolErrorCode::LimitsExceeded, "{error}");
    }
}

#[test]
fn a_sender_cuts_what_its_peer_would_refuse() {
    let updates = |count: usize, reason: &str, pk: &str| {
        let update = RejectedUpdate {
            reason: reason.to_owned(),
            table: "Item".to_owned(),
            pk: ObjectKey::String(pk.into()),
        };
        let (rejected, undone_at) = (ClientVersion(1), ServerVersion(2));
        let updates = vec![update; count];
        let error = ErrorMessage::compensating_write(sample::SESSION, rejected, undone_at, updates);
        let frame = encode_server_message(&ServerMessage::Error(error));
        let Ok(ServerMessage::Error(error)) = decode_server_message(&frame) else {
            panic!("{:?}", decode_server_message(&frame))
        };
        error.rejected_updates.expect("a list")
    };
    let long = "\u{e9}".repeat(limits::TEXT_MAX_BYTES);
    let cut = updates(1, &long, "short");
    assert_eq!(cut[0].reason.len(), limits::TEXT_MAX_BYTES);
    assert_eq!(
        updates(limits::REJECTED_UPDATES_MAX + 1, "r", "k").len(),
        limits::REJECTED_UPDATES_MAX
    );
    let most = updates(100, "r", &"k".repeat(1 << 20)).len();
    assert!((14..=16).contains(&most), "{most}");
}
