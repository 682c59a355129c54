//! Exports, checked with the public key alone: whole ones hold, and every attack of the matrix (AU01 to AU12) is found.
use crate::support::{Log, at, audit_keys, root};
use proptest::prelude::*;
use settings_crypto::{AuditKeys, Checked, CheckpointKey, ExportFault, ExportVerifier, Witness, fault};
use settings_domain::{
    audit::export::{
        CheckpointLine, EndLine, EventLine, FORMAT, FilterLine, HeadLine, Header, Line, OmittedLine, hex, instant,
    },
    ports::audit::{AuditSealer as _, Link, Statement},
};
use std::sync::LazyLock;

fn key() -> CheckpointKey {
    audit_keys().checkpoint_key().unwrap()
}
fn links(log: &Log) -> Vec<Link> {
    log.events.iter().map(|e| Link { seq: e.record.seq, hash: e.hash }).collect()
}
fn note_by(keys: &AuditKeys, log: &Log, link: Link, previous: Option<Link>) -> Line {
    let statement = Statement { workspace: log.workspace, link, previous, at: Some(at()) };
    Line::Checkpoint(CheckpointLine { note: keys.state(&statement).unwrap() })
}
fn event_line(log: &Log, place: usize) -> EventLine {
    let e = &log.events[place];
    EventLine::of(&e.record, &e.commitments, audit_keys().disclose(e, &log.salts).unwrap(), &e.hash)
}
/// The export of a log, with a checkpoint after its second event and one at its end.
fn export_where(log: &Log, shown: impl Fn(usize) -> bool, filter: Option<FilterLine>) -> Vec<Line> {
    let (links, keys) = (links(log), audit_keys());
    let last = *links.last().unwrap();
    let mut lines = vec![Line::Export(Box::new(Header {
        format: FORMAT.to_owned(),
        workspace: log.workspace,
        slug: "acme".to_owned(),
        exported_at: instant(at()),
        filter,
        public_key: key().verifier(),
        head: HeadLine::of(&last),
    }))];
    let mut count = 0;
    for (place, event) in log.events.iter().enumerate() {
        if shown(place) {
            count += 1;
            lines.push(Line::Event(Box::new(event_line(log, place))));
        } else {
            let leaves = vec![hex(&keys.leaf(&event.record, &event.commitments))];
            lines.push(Line::Omitted(OmittedLine { seq: event.record.seq, leaves, erased: vec![] }));
        }
    }
    lines.push(note_by(&keys, log, links[1], None));
    lines.push(note_by(&keys, log, last, Some(links[1])));
    lines.push(Line::End(EndLine { events: last.seq, shown: count }));
    lines
}
fn export(log: &Log) -> Vec<Line> {
    export_where(log, |_| true, None)
}
/// One log for all of a test: its salts are random, and so are its hashes.
fn log() -> Log {
    static LOG: LazyLock<Log> = LazyLock::new(|| Log::of_two_people(1));
    LOG.clone()
}
fn verify_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Checked, ExportFault> {
    let mut verifier = ExportVerifier::new(key());
    texts.into_iter().try_for_each(|line| verifier.line(line))?;
    verifier.finish()
}
fn verify(lines: &[Line]) -> Result<Checked, ExportFault> {
    let texts: Vec<String> = lines.iter().map(|l| serde_json::to_string(l).unwrap()).collect();
    verify_texts(texts.iter().map(String::as_str))
}
fn event(lines: &mut [Line], seq: i64) -> &mut EventLine {
    let found = lines.iter_mut().find_map(|l| match l {
        Line::Event(e) if e.seq == seq => Some(e),
        _ => None,
    });
    found.unwrap()
}
#[expect(clippy::unnecessary_wraps, reason = "compared with what an attack gives")]
fn at_event(seq: i64, fault: &str) -> Option<ExportFault> {
    Some(ExportFault::Event(seq, fault.to_owned()))
}

#[test]
fn a_whole_export_holds_and_says_what_was_seen() {
    let checked = verify(&export(&log())).unwrap();
    assert_eq!((checked.head, checked.shown, checked.erased, checked.checkpoints), (log().last(), 6, 0, 2));
    // Two of each: the actor, and the name or the target.
    assert_eq!(checked.values, 12);
    assert_eq!(checked.signed.map(|s| (s.link, s.at)), Some((log().last(), Some(at()))));
    for (seq, link) in (1..).zip(links(&log())) {
        let witness = Witness { workspace: log().workspace, link, receipt: false };
        assert_eq!(checked.against(&witness), Ok(()), "event {seq}");
    }
}

#[test]
fn behind_the_end_stands_nothing_but_an_empty_line() {
    let texts: Vec<String> = export(&log()).iter().map(|l| serde_json::to_string(l).unwrap()).collect();
    let followed_by = |more: &'static str| verify_texts(texts.iter().map(String::as_str).chain([more])).map(drop);
    // As a shell leaves it.
    assert_eq!(followed_by(""), Ok(()));
    assert!(followed_by("\u{fffd}").is_err());
    assert!(followed_by(texts[1].clone().leak()).is_err());
    // Anywhere else it is a line that was emptied.
    assert!(verify_texts(texts.iter().map(String::as_str).take(2).chain([""])).is_err());
}

#[test]
fn what_a_filter_leaves_out_still_holds_its_place() {
    let filter = Some(FilterLine { action: Some("member.removed".to_owned()), ..FilterLine::default() });
    let lines = export_where(&log(), |place| place == 5, filter);
    let checked = verify(&lines).unwrap();
    assert_eq!((checked.head, checked.shown, checked.values), (log().last(), 1, 2));
    // Nobody can leave out what the first line says is all of it.
    let whole = export_where(&log(), |place| place == 5, None);
    assert!(matches!(verify(&whole), Err(ExportFault::Line(2, _))));
    // A leaf that is another's, and a run that skips one.
    let mut exchanged = lines.clone();
    exchanged.swap(2, 3);
    assert_eq!(verify(&exchanged).err(), at_event(2, fault::SEQUENCE));
    let mut skipped = lines.clone();
    skipped.remove(3);
    assert_eq!(verify(&skipped).err(), at_event(3, fault::SEQUENCE));
    let mut forged = lines;
    let Line::Omitted(run) = &mut forged[2] else { unreachable!() };
    run.leaves = vec!["00".repeat(32)];
    assert!(matches!(verify(&forged), Err(ExportFault::Event(6, _))), "the next event that is written out");
}

#[test]
fn every_public_field_is_held() {
    let edits: [fn(&mut EventLine); 9] = [
        |e| e.at = instant(at() + time::Duration::microseconds(1)),
        |e| e.action = "api_key.revoked".to_owned(),
        |e| e.risk = settings_domain::audit::Risk::Low,
        |e| e.actor_kind = "system".to_owned(),
        |e| e.target_kind = "member".to_owned(),
        |e| e.target_id = None,
        |e| e.changes.clear(),
        |e| e.hash = "00".repeat(32),
        |e| e.personal[0].commitment = "00".repeat(32),
    ];
    for edit in edits {
        let mut lines = export(&log());
        edit(event(&mut lines, 3));
        assert_eq!(verify(&lines).err(), at_event(3, fault::HASH));
    }
    let mut lines = export(&log());
    event(&mut lines, 3).id = crate::support::id(1);
    assert!(matches!(verify(&lines), Err(ExportFault::Event(3, _))));
}

/// An export that was written anew from an event on, as anybody can: the hashes fit, the notes are those of before.
fn rechained(attack: impl FnOnce(&mut Log)) -> Vec<Line> {
    let mut forged = log();
    attack(&mut forged);
    let keys = audit_keys();
    let mut prev = Link::START;
    for event in &mut forged.events {
        event.record.seq = prev.seq + 1;
        let leaf = keys.leaf(&event.record, &event.commitments);
        let parts: Vec<u8> = [b"node".as_slice(), &prev.hash, &leaf]
            .iter()
            .flat_map(|p| [&(p.len() as u64).to_be_bytes()[..], p].concat())
            .collect();
        event.hash = ring::digest::digest(&ring::digest::SHA256, &parts).as_ref().try_into().unwrap();
        prev = Link { seq: event.record.seq, hash: event.hash };
    }
    // Of the forged events' values nothing is claimed: they could not be opened at other places.
    let mut lines = export(&forged);
    let honest = export(&log());
    let notes = |lines: &[Line]| lines.iter().position(|l| matches!(l, Line::Checkpoint(_))).unwrap();
    let (from, honest_from) = (notes(&lines), notes(&honest));
    lines.splice(from..from + 2, honest[honest_from..honest_from + 2].to_vec());
    lines
}

#[test]
fn a_chain_that_was_written_anew_is_not_the_one_that_was_signed() {
    for attack in [
        (|log: &mut Log| log.events[0].record.risk = settings_domain::audit::Risk::Low) as fn(&mut Log),
        |log| log.events[4].record.risk = settings_domain::audit::Risk::Low,
        |log| log.events[5].record.changes.clear(),
    ] {
        let fault = verify(&rechained(attack)).err().unwrap();
        assert!(matches!(&fault, ExportFault::Event(2 | 6, why) if why.contains("exchanged")), "{fault}");
    }
    // Appended: no note speaks of the end.
    let mut lines = rechained(|log| log.append(&crate::support::key_created(&log.member(1), "X", at())));
    let end = lines.len() - 1;
    lines[end] = Line::End(EndLine { events: 7, shown: 7 });
    assert!(matches!(verify(&lines), Err(ExportFault::Event(7, why)) if why.contains("signed")));
    // Signed by another service.
    let mut lines = export(&log());
    let place = lines.len() - 2;
    lines[place] = note_by(&AuditKeys::new(&root(2)), &log(), log().last(), Some(links(&log())[1]));
    assert!(matches!(verify(&lines), Err(ExportFault::Line(9, why)) if why.contains("not signed with this key")));
}

#[test]
fn an_end_that_was_cut_off_is_found_by_what_was_kept_outside() {
    let whole = log();
    let mut cut = whole.clone();
    cut.events.truncate(2);
    // The best that an attacker can do: everything up to an old checkpoint, and nothing after it.
    let mut lines = export(&cut);
    lines.remove(4);
    let checked = verify(&lines).unwrap();
    let outside = Witness { workspace: whole.workspace, link: whole.last(), receipt: false };
    assert!(matches!(checked.against(&outside), Err(ExportFault::Event(6, _))));
    // An earlier note does not tell, and that of another log says so.
    assert_eq!(checked.against(&Witness { link: links(&whole)[1], ..outside }), Ok(()));
    let other = Witness { workspace: Log::new(2).workspace, ..outside };
    assert!(matches!(checked.against(&other), Err(ExportFault::Whole(_))));
    let exchanged = Witness { link: Link { seq: 1, hash: [1; 32] }, ..outside };
    assert!(matches!(checked.against(&exchanged), Err(ExportFault::Event(1, _))));
    let never = Witness { link: Link { seq: i64::MIN, hash: [1; 32] }, ..outside };
    assert!(checked.against(&never).is_err());
}

#[test]
fn copying_from_another_tenant_is_found() {
    let other = Log::of_two_people(2);
    let mut lines = export(&log());
    *event(&mut lines, 3) = event_line(&other, 2);
    assert_eq!(verify(&lines).err(), at_event(3, fault::HASH));
    // A whole foreign export under this workspace's name, and a foreign checkpoint in this export.
    let mut lines = export(&other);
    let Line::Export(header) = &mut lines[0] else { unreachable!() };
    header.workspace = log().workspace;
    assert_eq!(verify(&lines).err(), at_event(1, fault::HASH));
    let mut lines = export(&log());
    lines[7] = export(&other)[7].clone();
    assert!(matches!(verify(&lines), Err(ExportFault::Line(8, why)) if why.contains("another workspace")));
}

#[test]
fn nobody_is_exchanged_or_hidden() {
    // Who did it, between an event of Ada's and one of Bob's: values alone, with their nonces, with their commitments.
    let swapped = |swap: fn(&mut EventLine, &mut EventLine)| {
        let mut lines = export(&log());
        let (mut a, mut b) = (event(&mut lines, 3).clone(), event(&mut lines, 4).clone());
        swap(&mut a, &mut b);
        (*event(&mut lines, 3), *event(&mut lines, 4)) = (a, b);
        verify(&lines).err()
    };
    let differs = at_event(3, fault::OPENING_DOES_NOT_MATCH);
    assert_eq!(swapped(|a, b| std::mem::swap(&mut a.personal[0].value, &mut b.personal[0].value)), differs);
    assert_eq!(
        swapped(|a, b| {
            std::mem::swap(&mut a.personal[0].value, &mut b.personal[0].value);
            std::mem::swap(&mut a.personal[0].nonce, &mut b.personal[0].nonce);
        }),
        differs
    );
    assert_eq!(swapped(|a, b| std::mem::swap(&mut a.personal[0], &mut b.personal[0])), at_event(3, fault::HASH));
    for hide in
        [(|e: &mut EventLine| (e.personal[0].value, e.personal[0].nonce) = (None, None)) as fn(&mut EventLine), |e| {
            e.personal.iter_mut().for_each(|p| (p.value, p.nonce) = (None, None));
        }]
    {
        let mut lines = export(&log());
        hide(event(&mut lines, 4));
        assert_eq!(verify(&lines).err(), at_event(4, fault::HIDDEN));
    }
    let mut lines = export(&log());
    event(&mut lines, 4).personal[0].value = None;
    assert_eq!(verify(&lines).err(), at_event(4, fault::OPENING_DOES_NOT_MATCH));
    // And with the whole commitment, so that nobody seems to be missing.
    let mut lines = export(&log());
    event(&mut lines, 4).personal.remove(0);
    assert_eq!(verify(&lines).err(), at_event(4, fault::HASH));
}

#[test]
fn a_note_that_was_taken_out_is_missed() {
    let without = |place: usize| {
        let mut lines = export(&log());
        lines.remove(place);
        verify(&lines).err().unwrap()
    };
    assert!(matches!(without(7), ExportFault::Line(8, why) if why.contains("before this one is missing")));
    assert!(matches!(without(8), ExportFault::Event(3, why) if why.contains("signed")));
    assert!(matches!(without(9), ExportFault::Whole(why) if why.contains("cut off")));
    assert!(matches!(without(0), ExportFault::NoExport(_)));
    assert!(matches!(verify(&[]), Err(ExportFault::NoExport(_))));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(lines in proptest::collection::vec(".{0,200}", 0..8)) {
        prop_assert!(verify_texts(lines.iter().map(String::as_str)).is_err());
    }

    #[test]
    fn no_json_makes_the_parser_panic(kind in "export|event|omitted|checkpoint|fault|end", seq in any::<i64>(),
        text in ".{0,80}", list in proptest::collection::vec(".{0,70}", 0..4)) {
        let line = serde_json::json!({"type": kind, "seq": seq, "note": text, "leaves": list, "fault": text,
            "events": seq, "shown": seq, "erased": [[seq, text]]});
        let pruned: Vec<serde_json::Value> = ["note", "leaves", "fault", "events", "shown", "erased", "seq"].iter().map(|m| {
            let mut line = line.clone();
            line.as_object_mut().unwrap().retain(|k, _| k == "type" || k == "seq" || k != m);
            line
        }).collect();
        let exact = [
            serde_json::json!({"type": "omitted", "seq": seq, "leaves": list, "erased": [[seq, text]]}),
            serde_json::json!({"type": "checkpoint", "note": text}),
            serde_json::json!({"type": "fault", "seq": seq, "fault": text}),
            serde_json::json!({"type": "end", "events": seq, "shown": seq}),
        ];
        let first = serde_json::to_string(&export_where(&log(), |_| true, Some(FilterLine::default()))[0]).unwrap();
        for line in pruned.iter().chain(&exact) {
            prop_assert!(verify_texts([first.as_str(), &line.to_string()]).is_err());
        }
    }

    /// One character exchanged, anywhere behind the first line: found, unless the line says the same as before.
    #[test]
    fn no_character_can_be_exchanged(place in any::<proptest::sample::Index>(), with in "[ -~]") {
        let lines = export(&log());
        let mut texts: Vec<String> = lines.iter().map(|l| serde_json::to_string(l).unwrap()).collect();
        let places: Vec<(usize, usize)> = texts.iter().enumerate().skip(1)
            .flat_map(|(n, t)| t.char_indices().map(move |(at, _)| (n, at))).collect();
        let (line, at) = places[place.index(places.len())];
        let width = texts[line][at..].chars().next().unwrap().len_utf8();
        texts[line].replace_range(at..at + width, &with);
        if verify_texts(texts.iter().map(String::as_str)).is_ok() {
            prop_assert_eq!(serde_json::from_str::<Line>(&texts[line]).unwrap(), lines[line].clone());
        }
    }

    /// Lines left out, repeated or exchanged.
    #[test]
    fn no_line_can_be_moved(a in 0..10_usize, b in 0..10_usize, how in 0..3) {
        let lines = export(&log());
        let mut moved = lines.clone();
        match how {
            0 => _ = moved.remove(a),
            1 => moved.insert(b, lines[a].clone()),
            _ => moved.swap(a, b),
        }
        // A checkpoint may stand anywhere behind its event: nothing is said by its line's place.
        let parts = |lines: &[Line]| -> (Vec<Line>, Vec<Line>) {
            lines.iter().cloned().partition(|l| matches!(l, Line::Checkpoint(_)))
        };
        prop_assert!(parts(&moved) == parts(&lines) || verify(&moved).is_err());
    }
}
