//! Signed notes about audit chains (AU08): made by whoever holds the root, checked by anybody.
use crate::support::{audit_keys, id, root};
use settings_crypto::{AuditKeys, CheckpointError, CheckpointKey};
use settings_domain::{
    ids::WorkspaceId,
    ports::audit::{AuditSealer as _, ErasureNote, Link},
};

fn workspace() -> WorkspaceId {
    WorkspaceId::from_uuid(id(1))
}
fn link() -> Link {
    Link { seq: 42, hash: [7; 32] }
}
fn note() -> String {
    audit_keys().checkpoint(workspace(), &link()).unwrap()
}
fn key() -> CheckpointKey {
    audit_keys().checkpoint_key().unwrap()
}

#[test]
fn a_note_says_which_chain_ended_where() {
    assert_eq!(key().verify(&note()), Ok((workspace(), link())));
    assert_eq!(note(), note(), "the same state gives the same note");
}

#[test]
fn no_character_of_a_note_may_change() {
    let note = note();
    for (place, c) in note.char_indices() {
        let other = if c == 'x' { 'y' } else { 'x' };
        let changed = format!("{}{other}{}", &note[..place], &note[place + c.len_utf8()..]);
        assert!(key().verify(&changed).is_err(), "{changed}");
        assert!(key().verify(&note[..place]).is_err(), "cut at {place}");
    }
    let moved = note.replacen("\n42\n", "\n43\n", 1);
    assert_eq!(key().verify(&moved), Err(CheckpointError::Forged));
}

#[test]
fn a_note_of_another_service_is_not_taken_for_ours() {
    let other = AuditKeys::new(&root(2)).checkpoint(workspace(), &link()).unwrap();
    assert_eq!(key().verify(&other), Err(CheckpointError::UnknownKey));
    // Its signature with our key's id is still no signature of ours.
    let ours = note();
    let (text, _) = other.rsplit_once(' ').unwrap();
    let (_, signature) = ours.rsplit_once(' ').unwrap();
    assert_eq!(key().verify(&format!("{text} {signature}")), Ok((workspace(), link())), "the text is the same");
    assert_eq!(
        key().verify(&format!("{} {signature}", text.replace("\n42\n", "\n41\n"))),
        Err(CheckpointError::Forged)
    );
}

#[test]
fn witnesses_may_add_their_signatures() {
    let witnessed = format!("{}\u{2014} witness.example AAAAAAAA\n", note());
    assert_eq!(key().verify(&witnessed), Ok((workspace(), link())));
    assert_eq!(key().verify("\u{2014} witness.example AAAAAAAA\n"), Err(CheckpointError::Malformed));
}

#[test]
fn the_public_key_is_read_as_it_was_written() {
    let written = key().verifier();
    assert_eq!(CheckpointKey::parse(&written), Some(key()));
    for bad in ["", "settings-audit", &written.replace("settings-audit", "x"), &written.replacen('+', "+0", 1)] {
        assert_eq!(CheckpointKey::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_receipt_says_which_event_erased_somebody_and_is_no_checkpoint() {
    let erasure = ErasureNote { link: link(), at: crate::support::at(), events: 3 };
    let receipt = audit_keys().receipt(workspace(), &erasure).unwrap();
    assert_eq!(key().verify_receipt(&receipt), Ok((workspace(), erasure)));
    assert_eq!(key().verify(&receipt), Err(CheckpointError::Malformed));
    assert_eq!(key().verify_receipt(&note()), Err(CheckpointError::Malformed));
    for (place, c) in receipt.char_indices() {
        let other = if c == 'x' { 'y' } else { 'x' };
        let changed = format!("{}{other}{}", &receipt[..place], &receipt[place + c.len_utf8()..]);
        assert!(key().verify_receipt(&changed).is_err(), "{changed}");
    }
    let another = AuditKeys::new(&root(2)).receipt(workspace(), &erasure).unwrap();
    assert_eq!(key().verify_receipt(&another), Err(CheckpointError::UnknownKey));
}
