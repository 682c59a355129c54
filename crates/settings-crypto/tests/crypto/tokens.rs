use crate::support::{api_key, at, id, root, tokens};
use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use settings_crypto::Tokens;
use settings_domain::{
    api_keys::ApiKey,
    ids::{ApiKeyId, InvitationId, SessionId, SignInId, WorkspaceId},
    policy::{Scope, ScopeSet},
    ports::tokens::TokenMint as _,
    tokens::Digest,
};
use time::Duration;
use uuid::Uuid;

/// What stands in for a wrong digit: the ends of each range of the alphabet, its neighbours in ASCII, and worse.
const WRONG: [char; 20] =
    ['0', '1', '9', 'A', 'B', 'Z', 'a', 'b', 'z', '/', ':', '@', '[', '`', '{', '_', '-', ' ', '\0', 'é'];

fn one_of_each_kind(mint: &Tokens, n: Uuid) -> [String; 4] {
    [
        mint.api_key(ApiKeyId::from_uuid(n)).unwrap().text.expose_secret().to_owned(),
        mint.invitation(InvitationId::from_uuid(n), 1).text.expose_secret().to_owned(),
        mint.sign_in(SignInId::from_uuid(n)).text.expose_secret().to_owned(),
        mint.session(SessionId::from_uuid(n)).unwrap().text.expose_secret().to_owned(),
    ]
}
/// What each of the four parsers says to a text.
fn parsed(mint: &Tokens, text: &str) -> [Option<(Uuid, Digest)>; 4] {
    [
        mint.parse_api_key(text).map(|(id, d)| (id.as_uuid(), d)),
        mint.parse_invitation(text).map(|(id, d)| (id.as_uuid(), d)),
        mint.parse_sign_in(text).map(|(id, d)| (id.as_uuid(), d)),
        mint.parse_session(text).map(|(id, d)| (id.as_uuid(), d)),
    ]
}

#[test]
fn a_key_has_the_documented_form_and_is_recognised() {
    let mint = tokens();
    let key = mint.api_key(ApiKeyId::from_uuid(id(1))).unwrap();
    let text = key.text.expose_secret();
    let parts: Vec<&str> = text.split('_').collect();
    assert_eq!(parts.iter().map(|p| p.len()).collect::<Vec<_>>(), [3, 22, 43, 6]);
    assert_eq!((text.len(), parts[0]), (77, "wsk"));
    assert!(parts.iter().all(|p| p.bytes().all(|b| b.is_ascii_alphanumeric())));
    assert_eq!((key.prefix.len(), text.starts_with(&key.prefix)), (16, true));
    assert!(parts[2].ends_with(&key.last4) && key.last4.len() == 4);
    assert_eq!(mint.parse_api_key(text), Some((ApiKeyId::from_uuid(id(1)), key.digest)));
}

#[test]
fn two_values_for_one_id_differ_in_secret_and_digest() {
    let mint = tokens();
    let [a, b] = [(); 2].map(|()| mint.api_key(ApiKeyId::from_uuid(id(1))).unwrap());
    assert_ne!(a.text.expose_secret(), b.text.expose_secret());
    assert_ne!(a.digest, b.digest);
}

#[test]
fn every_change_of_one_character_is_caught_by_the_shape_or_the_checksum() {
    let mint = tokens();
    for text in one_of_each_kind(&mint, id(1)) {
        for (place, old) in text.char_indices() {
            for new in WRONG.into_iter().filter(|new| *new != old) {
                let mut changed: Vec<char> = text.chars().collect();
                changed[place] = new;
                let changed: String = changed.into_iter().collect();
                assert_eq!(parsed(&mint, &changed), [None; 4], "{changed}");
            }
            let without = format!("{}{}", &text[..place], &text[place + 1..]);
            assert_eq!(parsed(&mint, &without), [None; 4], "{without}");
        }
        for longer in [format!("{text}0"), format!(" {text}"), format!("{text}\n"), text.to_uppercase()] {
            assert_eq!(parsed(&mint, &longer), [None; 4], "{longer}");
        }
    }
}

#[test]
fn two_neighbours_that_changed_places_are_caught() {
    let mint = tokens();
    let key = mint.api_key(ApiKeyId::from_uuid(id(1))).unwrap();
    let text = key.text.expose_secret().as_bytes();
    for place in (1..text.len()).filter(|p| text[p - 1] != text[*p]) {
        let mut swapped = text.to_vec();
        swapped.swap(place - 1, place);
        assert_eq!(mint.parse_api_key(std::str::from_utf8(&swapped).unwrap()), None);
    }
}

#[test]
fn a_forged_checksum_only_leads_to_another_digest() {
    let mint = tokens();
    let key = mint.api_key(ApiKeyId::from_uuid(id(1))).unwrap();
    let text = key.text.expose_secret();
    for place in 27..70 {
        let mut changed = text.as_bytes()[..70].to_vec();
        changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
        let text = with_checksum(std::str::from_utf8(&changed).unwrap());
        if let Some((id, digest)) = mint.parse_api_key(&text) {
            assert_eq!(id.as_uuid(), crate::support::id(1));
            assert_ne!(digest, key.digest, "place {place}");
        }
    }
}

/// A well-formed token of any body.
fn with_checksum(body: &str) -> String {
    let digits: Vec<char> = ('0'..='9').chain('A'..='Z').chain('a'..='z').collect();
    let mut rest = usize::try_from(crc32fast::hash(body.as_bytes())).unwrap();
    let mut checksum = vec![];
    for _ in 0..6 {
        checksum.insert(0, digits[rest % 62]);
        rest /= 62;
    }
    format!("{body}_{}", checksum.into_iter().collect::<String>())
}

#[test]
fn ids_secrets_and_checksums_that_are_too_large_are_refused() {
    let mint = tokens();
    let (id, secret) = ("7n42DGM5Tflk9n8mt7Fhc7", "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
    let largest = with_checksum(&format!("wsk_{id}_{secret}"));
    assert_eq!(mint.parse_api_key(&largest).unwrap().0, ApiKeyId::from_uuid(Uuid::max()));
    for body in [
        format!("wsk_7n42DGM5Tflk9n8mt7Fhc8_{secret}"),
        format!("wsk_{}_{secret}", "z".repeat(22)),
        format!("wsk_{id}_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp2"),
        format!("wsk_{id}_{}", "z".repeat(43)),
    ] {
        assert_eq!(mint.parse_api_key(&with_checksum(&body)), None, "{body}");
    }
    assert_eq!(mint.parse_api_key(&format!("{}zzzzzz", &largest[..71])), None);
}

#[test]
fn a_token_of_one_kind_is_none_of_another() {
    let mint = tokens();
    let texts = one_of_each_kind(&mint, id(1));
    for (kind, text) in texts.iter().enumerate() {
        for (parser, found) in parsed(&mint, text).into_iter().enumerate() {
            assert_eq!(found.is_some(), kind == parser, "{text}");
        }
    }
    // Also with the prefix and the checksum forged: the digest of the same id and secret differs from kind to kind.
    let body = &texts[0][4..70];
    let digests: Vec<_> = ["wsk_", "inv_", "sgn_", "ses_"]
        .iter()
        .enumerate()
        .map(|(kind, prefix)| parsed(&mint, &with_checksum(&format!("{prefix}{body}")))[kind].unwrap().1)
        .collect();
    for (i, digest) in digests.iter().enumerate() {
        assert!(!digests[i + 1..].contains(digest));
    }
}

#[test]
fn only_the_prefix_decides_whether_a_text_is_meant_as_a_key() {
    let mint = tokens();
    for (text, is) in
        [("wsk_", true), ("wsk_x", true), ("WSK_x", false), (" wsk_", false), ("inv_x", false), ("", false)]
    {
        assert_eq!(mint.looks_like_api_key(text), is, "{text}");
    }
}

#[test]
fn links_are_derived_and_resending_an_invitation_makes_another() {
    let (mint, again) = (tokens(), tokens());
    let invitation = InvitationId::from_uuid(id(1));
    let text = |mint: &Tokens, generation| mint.invitation(invitation, generation).text.expose_secret().to_owned();
    assert_eq!(text(&mint, 1), text(&again, 1));
    assert_ne!(text(&mint, 1), text(&mint, 2));
    assert_ne!(mint.invitation(invitation, 1).digest, mint.invitation(invitation, 2).digest);
    let first = mint.invitation(invitation, 1);
    assert_eq!(mint.parse_invitation(first.text.expose_secret()), Some((invitation, first.digest)));
    let sign_in = SignInId::from_uuid(id(1));
    let link = mint.sign_in(sign_in);
    assert_eq!(again.sign_in(sign_in).digest, link.digest);
    assert_eq!(mint.parse_sign_in(link.text.expose_secret()), Some((sign_in, link.digest)));
    // Invitation and sign-in of one id share nothing but the id.
    assert_ne!(text(&mint, 1)[27..70], link.text.expose_secret()[27..70]);
}

#[test]
fn another_root_makes_other_links_digests_and_seals() {
    let (mint, other) = (tokens(), Tokens::new(&root(2)));
    let texts = one_of_each_kind(&mint, id(1));
    for (mine, theirs) in texts.iter().flat_map(|t| parsed(&mint, t).into_iter().zip(parsed(&other, t))) {
        assert_eq!(mine.map(|(id, _)| id), theirs.map(|(id, _)| id));
        assert!(mine.is_none() || mine != theirs);
    }
    let invitation = InvitationId::from_uuid(id(1));
    assert_ne!(
        mint.invitation(invitation, 1).text.expose_secret(),
        other.invitation(invitation, 1).text.expose_secret()
    );
    let key = api_key(WorkspaceId::from_uuid(id(1)), 2);
    assert_ne!(mint.seal_api_key(&key, &Digest::none()), other.seal_api_key(&key, &Digest::none()));
}

#[test]
fn a_seal_covers_what_a_key_may_do_and_nothing_else() {
    let mint = tokens();
    let key = api_key(WorkspaceId::from_uuid(id(1)), 2);
    let digest = Digest::new([3; 32]);
    let seal = mint.seal_api_key(&key, &digest);
    let widened = [
        ApiKey { workspace: WorkspaceId::from_uuid(id(9)), ..key.clone() },
        ApiKey { id: ApiKeyId::from_uuid(id(9)), ..key.clone() },
        ApiKey { scopes: key.scopes.with(Scope::AuditRead), ..key.clone() },
        ApiKey { scopes: ScopeSet::EMPTY, ..key.clone() },
        ApiKey { expires_at: Some(at()), ..key.clone() },
        ApiKey { expires_at: Some(at() + Duration::microseconds(1)), ..key.clone() },
    ];
    let mut seals: Vec<_> = widened.iter().map(|key| mint.seal_api_key(key, &digest)).collect();
    seals.push(mint.seal_api_key(&key, &Digest::new([4; 32])));
    for (i, other) in seals.iter().enumerate() {
        assert_ne!(*other, seal, "{i}");
        assert!(!seals[i + 1..].contains(other), "{i}");
    }
    let same = ApiKey { name: "CD".parse().unwrap(), revoked_at: Some(at()), created_by: None, ..key };
    assert_eq!(mint.seal_api_key(&same, &digest), seal);
}

#[test]
fn nothing_secret_is_in_debug_output() {
    let mint = tokens();
    let key = mint.api_key(ApiKeyId::from_uuid(id(1))).unwrap();
    let secret = &key.text.expose_secret()[27..66];
    assert!(!format!("{key:?}{mint:?}{:?}", root(1)).contains(secret));
    assert_eq!(format!("{mint:?}{:?}", root(1)), "Tokens(..)RootKey(..)");
}

proptest! {
    #[test]
    fn every_id_comes_back(n: u128, generation: i64) {
        let mint = tokens();
        let n = Uuid::from_u128(n);
        for (kind, text) in one_of_each_kind(&mint, n).iter().enumerate() {
            prop_assert_eq!(text.len(), 77);
            prop_assert_eq!(parsed(&mint, text)[kind].map(|(id, _)| id), Some(n));
        }
        let invitation = mint.invitation(InvitationId::from_uuid(n), generation);
        prop_assert_eq!(mint.parse_invitation(invitation.text.expose_secret()).map(|(_, d)| d), Some(invitation.digest));
    }
    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>()) {
        prop_assert_eq!(parsed(&tokens(), &text), [None; 4]);
    }
    #[test]
    fn no_text_of_nearly_the_right_shape_does_either(text in "(wsk|inv|sgn|ses)_[0-9A-Za-z_é]{20,24}_[0-9A-Za-zß]{40,45}_.{5,7}") {
        let _ = parsed(&tokens(), &text);
        let _ = parsed(&tokens(), &with_checksum(&text));
    }
}
