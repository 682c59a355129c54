//! Signed notes about audit chains (AU08): made by whoever holds the root, checked by anybody.
use crate::support::{audit_keys, id, root};
use settings_crypto::{AuditKeys, CheckpointError, CheckpointKey, Witness, found_notes};
use settings_domain::{
    ids::WorkspaceId,
    ports::audit::{AuditSealer as _, ErasureNote, Link, Statement},
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
fn a_checkpoint_names_the_one_before_and_its_time() {
    let previous = Some(Link { seq: 41, hash: [6; 32] });
    let statement = Statement { workspace: workspace(), link: link(), previous, at: Some(crate::support::at()) };
    let note = audit_keys().state(&statement).unwrap();
    assert_eq!(key().read(&note), Ok(statement));
    assert_eq!(audit_keys().read_checkpoint(&note), Some(statement));
    assert_eq!(audit_keys().read_checkpoint(&note.replacen("41", "40", 1)), None);
    assert_eq!(key().read(&self::note()).map(|s| (s.previous, s.at)), Ok((None, None)));
}

#[test]
fn a_receipt_is_no_checkpoint_and_neither_is_the_other() {
    let receipt = audit_keys().receipt(workspace(), &link()).unwrap();
    assert_eq!(receipt.split(' ').count(), 4, "{receipt}");
    assert_eq!(key().read_receipt(&receipt), Ok((workspace(), link())));
    // Its lines as a note, with its signature.
    let (text, signature) = receipt.rsplit_once(' ').unwrap();
    let text = text.replace(' ', "\n");
    for name in ["settings-audit-receipt", "settings-audit"] {
        let text = text.replacen("settings-audit-receipt", name, 1);
        assert!(key().verify(&format!("{text}\n\n\u{2014} settings-audit {signature}\n")).is_err());
    }
    let note = note();
    let lines: Vec<&str> = note.lines().collect();
    let signature = lines[4].rsplit_once(' ').unwrap().1;
    let origin = lines[0].replacen("settings-audit", "settings-audit-receipt", 1);
    assert_eq!(
        key().read_receipt(&format!("{origin} {} {} {signature}", lines[1], lines[2])),
        Err(CheckpointError::Forged)
    );
    for (place, c) in receipt.char_indices() {
        let other = if c == 'x' { 'y' } else { 'x' };
        assert!(key().read_receipt(&format!("{}{other}{}", &receipt[..place], &receipt[place + 1..])).is_err());
    }
}

#[test]
fn notes_are_found_wherever_people_keep_them() {
    let (note, receipt) = (note(), audit_keys().receipt(workspace(), &link()).unwrap());
    let checkpoint = Witness { workspace: workspace(), link: link(), receipt: false };
    let found = |text: &str| found_notes(text, &key()).into_iter().map(Result::unwrap).collect::<Vec<_>>();
    let quoted = format!("> > {}\r\n", note.trim_end().replace('\n', "\r\n> > "));
    let html = format!("<p>Keep this.</p><pre style=\"x\">{note}</pre>");
    let broken = note.replace("settings-audit l", "settings-audit\nl");
    assert_eq!(note.lines().count(), 5);
    for text in [&note, &format!("Dear\n\n{note}\n\nBest"), &quoted, &html, &broken, &note.replace('\n', "\r\n")] {
        assert_eq!(found(text), [checkpoint], "{text}");
    }
    let kept = Witness { receipt: true, ..checkpoint };
    for text in [
        &receipt,
        &format!("HTTP/1.1 200 OK\r\naudit-receipt: {receipt}\r\n"),
        &format!("\"audit-receipt\": \"{receipt}\","),
    ] {
        assert_eq!(found(text), [kept], "{text}");
    }
    assert_eq!(found(&format!("{receipt}\n{note}")), [kept, checkpoint]);
    for text in
        ["", "settings-audit/", "see https://x.example/settings-audit/acme\n12\n", "settings-audit/\n1\nx\n\nno\n"]
    {
        assert_eq!(found(text), [], "{text}");
    }
    let forged = note.replacen("\n42\n", "\n43\n", 1);
    assert_eq!(found_notes(&forged, &key()), [Err(CheckpointError::Forged)]);
}

#[test]
fn the_public_key_is_found_in_either_form() {
    let key = key();
    for text in
        [key.verifier(), key.pem(), format!("{}\n{}", key.verifier(), key.pem()), format!("Our key:\n{}", key.pem())]
    {
        assert_eq!(CheckpointKey::find(&text), Some(key), "{text}");
    }
    for bad in
        ["", "-----BEGIN PUBLIC KEY-----", &key.pem().replace("MCow", "MCox"), &key.pem().replace("PUBLIC", "PRIVATE")]
    {
        assert_eq!(CheckpointKey::find(bad), None, "{bad}");
    }
}

#[test]
fn the_receipt_of_an_erasure_says_which_event_erased_somebody_and_is_no_checkpoint() {
    let erasure = ErasureNote { link: link(), at: crate::support::at(), events: 3 };
    let receipt = audit_keys().erasure_receipt(workspace(), &erasure).unwrap();
    assert_eq!(key().read_erasure(&receipt), Ok((workspace(), erasure)));
    assert_eq!(key().verify(&receipt), Err(CheckpointError::Malformed));
    assert_eq!(key().read_erasure(&note()), Err(CheckpointError::Malformed));
    for (place, c) in receipt.char_indices() {
        let other = if c == 'x' { 'y' } else { 'x' };
        let changed = format!("{}{other}{}", &receipt[..place], &receipt[place + c.len_utf8()..]);
        assert!(key().read_erasure(&changed).is_err(), "{changed}");
    }
    let another = AuditKeys::new(&root(2)).erasure_receipt(workspace(), &erasure).unwrap();
    assert_eq!(key().read_erasure(&another), Err(CheckpointError::UnknownKey));
}
