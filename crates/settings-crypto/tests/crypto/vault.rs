//! What a sealed value and a wrapped data key are bound to.
use crate::{
    support::{damaged, id},
    vault_support::{Stage, binding, executor, is_altered, open, row, scope, workspace},
};
use proptest::{prelude::*, test_runner::TestRunner};
use secrecy::{ExposeSecret as _, SecretString};
use settings_crypto::EnvelopeVault;
use settings_domain::{
    ids::{EnvironmentId, ModelId, SecretId, VariableId},
    models::{AuthType, Model},
    ports::{
        keyring::KeyringError,
        vault::{OldWrapping, Vault as _, VaultError, WrappedDataKey},
    },
    sealed::{Binding, Sealed, SecretValue},
    secrets::Secret,
    variables::Variable,
};
use std::{collections::HashSet, sync::Arc};

#[tokio::test]
async fn a_value_comes_back_byte_for_byte() {
    let cipher = Stage::new().current(1).await.unwrap();
    let here = binding(1, 1, 1, 1);
    for text in ["x", "", " padded ", "\r\n\t\0", "e\u{301}\u{feff}", &"ä".repeat(32 * 1024)] {
        let sealed = cipher.seal(&here, text.as_bytes()).unwrap();
        assert_eq!(open(cipher.as_ref(), 1, &here, &sealed).unwrap(), text);
    }
}

#[tokio::test]
async fn no_bit_of_a_sealed_value_may_change_and_no_byte_may_go_or_come() {
    let cipher = Stage::new().current(1).await.unwrap();
    let here = binding(1, 1, 1, 1);
    let sealed = cipher.seal(&here, b"value").unwrap();
    let longer = [sealed.bytes(), &[0]].concat();
    for bytes in damaged(sealed.bytes()).chain([longer]) {
        let result = open(cipher.as_ref(), 1, &here, &Sealed::new(1, bytes.clone()));
        assert!(is_altered(&result), "{}", hex::encode(bytes));
    }
}

#[tokio::test]
async fn a_value_of_an_unknown_format_does_not_open() {
    let cipher = Stage::new().current(1).await.unwrap();
    let here = binding(1, 1, 1, 1);
    let sealed = cipher.seal(&here, b"value").unwrap();
    assert_eq!(sealed.bytes()[0], 1);
    for format in (0..=255).filter(|f| *f != 1) {
        let mut bytes = sealed.bytes().to_vec();
        bytes[0] = format;
        assert!(is_altered(&open(cipher.as_ref(), 1, &here, &Sealed::new(1, bytes))), "format {format}");
    }
}

/// Everything that a binding is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Parts {
    kind: u8,
    workspace: u128,
    place: u128,
    record: u128,
    version: i64,
}
impl Parts {
    fn binding(self) -> Binding {
        let (workspace, environment) = (workspace(self.workspace), EnvironmentId::from_uuid(id(self.place)));
        let record = id(self.record);
        match self.kind {
            0 => Variable::binding(workspace, environment, VariableId::from_uuid(record), self.version),
            1 => Secret::binding(workspace, environment, SecretId::from_uuid(record), self.version),
            kind => {
                let auth = if kind == 2 { AuthType::Token } else { AuthType::ClientKey };
                let origin = format!("https://{}.example", self.place);
                Model::binding(workspace, ModelId::from_uuid(record), auth, &origin, self.version)
            }
        }
    }
}
fn parts() -> impl Strategy<Value = Parts> {
    // Few values of each, so that most pairs differ in one or two parts only.
    (0..4_u8, 1..3_u128, 1..3_u128, 1..3_u128, 1..3_i64).prop_map(|(kind, workspace, place, record, version)| Parts {
        kind,
        workspace,
        place,
        record,
        version,
    })
}

#[test]
fn a_value_opens_under_its_own_binding_and_no_other() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = Stage::new();
    let ciphers = [1, 2].map(|n| runtime.block_on(stage.current(n)).unwrap());
    let cipher = |n: u128| &ciphers[usize::try_from(n).unwrap() - 1];
    let mut runner = TestRunner::new(ProptestConfig::with_cases(2_000));
    let run = runner.run(&(parts(), parts(), ".{0,20}"), |(sealed_as, opened_as, text)| {
        let sealed = cipher(sealed_as.workspace).seal(&sealed_as.binding(), text.as_bytes()).unwrap();
        let result = open(cipher(opened_as.workspace).as_ref(), opened_as.workspace, &opened_as.binding(), &sealed);
        if sealed_as == opened_as {
            prop_assert_eq!(result.unwrap(), text);
        } else {
            prop_assert!(is_altered(&result), "{:?} opened as {:?}", sealed_as, opened_as);
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn whatever_stands_in_a_row_is_opened_or_refused_and_never_a_panic() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cipher = runtime.block_on(Stage::new().current(1)).unwrap();
    let mut runner = TestRunner::new(ProptestConfig::with_cases(2_000));
    let bytes = prop_oneof![
        any::<Vec<u8>>(),
        any::<Vec<u8>>().prop_map(|rest| [vec![1], rest].concat()),
        proptest::collection::vec(any::<u8>(), 28..31).prop_map(|rest| [vec![1], rest].concat()),
    ];
    let run = runner.run(&(bytes, any::<i64>(), any::<i64>()), |(bytes, generation, version)| {
        for generation in [1, generation] {
            let result = open(cipher.as_ref(), 1, &binding(1, 1, 1, version), &Sealed::new(generation, bytes.clone()));
            prop_assert!(is_altered(&result));
        }
        Ok(())
    });
    run.unwrap();
}

#[tokio::test]
async fn a_value_does_not_open_as_one_of_another_generation() {
    let stage = Stage::new();
    let first = stage.current(1).await.unwrap();
    stage.clock.pass(settings_crypto::SEALS_FOR);
    let second = stage.current(1).await.unwrap();
    assert_eq!((first.generation(), second.generation()), (1, 2));
    let here = binding(1, 1, 1, 1);
    let sealed = first.seal(&here, b"value").unwrap();
    for (cipher, generation) in [(&first, 2), (&second, 1), (&second, 2)] {
        let moved = Sealed::new(generation, sealed.bytes().to_vec());
        assert!(is_altered(&open(cipher.as_ref(), 1, &here, &moved)), "{generation}");
    }
    for unknown in [0, 3, -1, i64::MAX] {
        assert!(matches!(stage.vault.generation(scope(1), unknown).await, Err(VaultError::Altered)));
    }
}

#[tokio::test]
async fn a_wrapped_data_key_that_is_moved_to_another_row_is_refused() {
    let stage = Stage::new();
    stage.current(1).await.unwrap();
    stage.current(2).await.unwrap();
    let foreign = |e: Result<_, VaultError>| matches!(e, Err(VaultError::Keyring(KeyringError::Foreign)));
    let [one, two] = [1, 2].map(|n| stage.table.0.lock().unwrap()[&(workspace(n), 1)].clone());
    // Another tenant's.
    stage.table.0.lock().unwrap().insert((workspace(1), 1), two);
    assert!(foreign(stage.another_process().current(scope(1)).await.map(drop)));
    // Another generation's: an old key that is to seal new values again.
    let mut second = one.clone();
    second.generation = 2;
    stage.table.0.lock().unwrap().insert((workspace(1), 2), second);
    assert!(foreign(stage.another_process().current(scope(1)).await.map(drop)));
    // Back in its place it opens.
    stage.table.0.lock().unwrap().remove(&(workspace(1), 2));
    stage.table.0.lock().unwrap().insert((workspace(1), 1), one.clone());
    assert!(stage.another_process().current(scope(1)).await.is_ok());
    // And every bit of it counts.
    for wrapped in damaged(&one.wrapped) {
        let key = WrappedDataKey { wrapped, ..one.clone() };
        assert!(foreign(stage.another_process().unwrapped(scope(1), &key).await.map(drop)));
    }
}

#[tokio::test]
async fn a_cipher_seals_for_its_own_workspace_alone() {
    let cipher = Stage::new().current(1).await.unwrap();
    assert!(matches!(cipher.seal(&binding(2, 1, 1, 1), b"value"), Err(VaultError::Altered)));
}

#[tokio::test]
async fn many_open_together_and_the_first_that_does_not_is_named() {
    let cipher = Stage::new().current(1).await.unwrap();
    let mut rows: Vec<_> = (0..5)
        .map(|n| {
            let here = binding(1, 1, n, 1);
            let sealed = cipher.seal(&here, format!("value {n}").as_bytes()).unwrap();
            row(1, here, sealed)
        })
        .collect();
    let all = |rows: &[settings_domain::variables::VariableRecord]| {
        let permit = executor(1);
        let openings: Vec<_> = rows.iter().map(|r| r.opening(&permit).unwrap()).collect();
        let texts = cipher.open_all(&openings)?;
        Ok::<_, (usize, VaultError)>(texts.iter().map(|t| t.expose_secret().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(all(&rows).unwrap(), ["value 0", "value 1", "value 2", "value 3", "value 4"]);
    // Two rows of one tenant that were swapped.
    let (third, fifth) = (rows[2].value.sealed().clone(), rows[4].value.sealed().clone());
    rows[2] = row(1, binding(1, 1, 2, 1), fifth);
    rows[4] = row(1, binding(1, 1, 4, 1), third);
    assert!(matches!(all(&rows), Err((2, VaultError::Altered))));
}

#[tokio::test]
async fn no_nonce_is_used_twice() {
    let cipher = Stage::new().current(1).await.unwrap();
    let here = binding(1, 1, 1, 1);
    let nonces: HashSet<_> =
        (0..20_000).map(|_| cipher.seal(&here, b"same").unwrap().bytes()[1..13].to_vec()).collect();
    assert_eq!(nonces.len(), 20_000);
}

#[tokio::test]
async fn digests_tell_equal_values_of_one_workspace_and_nothing_across_workspaces_or_roots() {
    let stage = Stage::new();
    let value = |text: &str| SecretValue::new(SecretString::from(text)).unwrap();
    let digest = |vault: &EnvelopeVault, n, text| vault.digest(scope(n), &value(text));
    assert_eq!(digest(&stage.vault, 1, "a"), digest(&stage.another_process(), 1, "a"));
    assert_ne!(digest(&stage.vault, 1, "a"), digest(&stage.vault, 1, "b"));
    assert_ne!(digest(&stage.vault, 1, "a"), digest(&stage.vault, 2, "a"));
    let (remote, table, clock) = (stage.remote.clone(), stage.table.clone(), stage.clock.clone());
    let other = EnvelopeVault::new(remote, table, clock, &crate::support::root(2));
    assert_ne!(digest(&stage.vault, 1, "a"), digest(&other, 1, "a"));
}

#[tokio::test]
async fn values_of_before_a_rotation_open_after_it_without_the_old_key() {
    let stage = Stage::new();
    let here = binding(1, 1, 1, 1);
    let sealed = stage.current(1).await.unwrap().seal(&here, b"value").unwrap();
    let new = stage.remote.ring.add_key().unwrap();
    let slot = (workspace(1), 1);
    let old = stage.table.0.lock().unwrap()[&slot].clone();
    let wrapping = OldWrapping { workspace: workspace(1), generation: 1, wrapped: old.wrapped.clone() };
    let rewrapped = stage.vault.rewrap(wrapping).await.unwrap();
    assert_eq!((&rewrapped.wrapped_by, &stage.vault.wrapped_by().await.unwrap()), (&new, &new));
    assert_ne!(rewrapped.wrapped, old.wrapped);
    let key = WrappedDataKey { wrapped: rewrapped.wrapped, wrapped_by: new.clone(), ..old };
    stage.table.0.lock().unwrap().insert(slot, key);
    // The file without the old key.
    let mut file: serde_json::Value = serde_json::from_slice(&std::fs::read(&stage.path).unwrap()).unwrap();
    file["keys"].as_array_mut().unwrap().retain(|k| k["id"] == new.as_str());
    std::fs::write(&stage.path, file.to_string()).unwrap();
    let ring = Arc::new(settings_crypto::LocalKeyring::open(&stage.path).unwrap());
    let vault = EnvelopeVault::new(ring, stage.table.clone(), stage.clock.clone(), &crate::support::root(1));
    let cipher = vault.current(scope(1)).await.unwrap();
    assert_eq!(open(cipher.as_ref(), 1, &here, &sealed).unwrap(), "value");
}

#[test]
fn nothing_of_a_vault_is_shown() {
    assert_eq!(format!("{:?}", Stage::new().vault), "EnvelopeVault(..)");
}
