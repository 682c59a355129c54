//! Stored data of before: values computed by another implementation (golden.py). If one of these tests fails, links in
//! people's mail, keys in their machines or chains in their databases stop working: make a new version instead.
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretSlice};
use settings_crypto::{AuditKeys, EnvelopeVault, LocalKeyring, RootKey, SystemClock, Tokens, verify_public};
use settings_domain::{
    api_keys::ApiKey,
    audit::{AuditRecord, Commitment, FieldChange, Opening, Risk, SealedEvent},
    ids::{ApiKeyId, InvitationId, ModelId, PersonId, SecretId, SignInId, VariableId, WorkspaceId},
    micros,
    models::{AuthType, Model},
    policy::{Actor, Permit, Scope, ScopeSet, SystemTask, TenantScope, actions, permit},
    ports::{
        StoreError,
        audit::{AuditSealer as _, Link, Salts},
        keyring::Keyring as _,
        tokens::TokenMint as _,
        vault::{DataKeyStore, OldWrapping, Rewrapped, Vault as _, WrappedDataKey},
    },
    sealed::{Sealed, SecretValue, StoredValue},
    secrets::Secret,
    tokens::Digest,
    variables::{Variable, VariableRecord},
};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

const ID: &str = "0192f0c1-2d3e-7a4b-8c5d-6e7f80910a1b";
const WORKSPACE: &str = "0192f0c1-0000-7000-8000-000000000001";
const PERSON: &str = "0192f0c1-0000-7000-8000-000000000002";

fn root() -> RootKey {
    RootKey::new(&SecretSlice::from((0..32).collect::<Vec<u8>>())).unwrap()
}
fn golden_keyring(path: &Path) -> LocalKeyring {
    let key =
        r#"{"id":"k1","created":"2026-01-31T00:00:00Z","material":"yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5uc="}"#;
    fs::write(path, format!(r#"{{"version":1,"active":"k1","keys":[{key}]}}"#)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    LocalKeyring::open(path).unwrap()
}
fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}
fn bytes32(hex: &str) -> [u8; 32] {
    bytes(hex).try_into().unwrap()
}

#[test]
fn tokens() {
    let mint = Tokens::new(&root());
    let (_, digest) = mint
        .parse_api_key("wsk_02y8wgY8IeIwDiQv9C5Fk3_No287qEH4uQv9vBo5cxQTXAw02KFtzjuPbCrH1FrBEB_3y3dQN")
        .filter(|(id, _)| id.to_string() == ID)
        .unwrap();
    assert_eq!(hex::encode(digest.as_bytes()), "865044798f8caed4e8e4ea3f77aabd7216bbe0727a78286ce8c606c71cc7469b");
    let (_, digest) = mint
        .parse_session("ses_02y8wgY8IeIwDiQv9C5Fk3_No287qEH4uQv9vBo5cxQTXAw02KFtzjuPbCrH1FrBEB_3Gj7hU")
        .filter(|(id, _)| id.to_string() == ID)
        .unwrap();
    assert_eq!(hex::encode(digest.as_bytes()), "2dc2b2bab7985de4396a507a3171a9e7de3e7f3f53df91340b841f02eb5ad712");
    let link = mint.invitation(ID.parse::<InvitationId>().unwrap(), 3);
    assert_eq!(
        (link.text.expose_secret(), hex::encode(link.digest.as_bytes()).as_str()),
        (
            "inv_02y8wgY8IeIwDiQv9C5Fk3_I3v3cNcCwveZ10zbAmEfDMpFJOiUczUffjYzERVMmbF_3gQqQq",
            "a903efb489bb566d1311e4acaf4a351b3a56e931e9685101029106147bc9f8b0"
        )
    );
    let link = mint.sign_in(ID.parse::<SignInId>().unwrap());
    assert_eq!(
        (link.text.expose_secret(), hex::encode(link.digest.as_bytes()).as_str()),
        (
            "sgn_02y8wgY8IeIwDiQv9C5Fk3_FI1iQZmmDgHGm6dvo5q422GHfvR0ye6nUS8BxGAZyqI_35kGms",
            "fc34bd3413745826f63fa7f6943e2c0a60fd7e3d8f05363f62581088a29acf3e"
        )
    );
}

#[test]
fn seals_of_api_keys() {
    let mint = Tokens::new(&root());
    let key = ApiKey {
        id: ID.parse::<ApiKeyId>().unwrap(),
        scopes: ScopeSet::EMPTY.with(Scope::RunsRead).with(Scope::SecretsRead),
        ..crate::support::api_key(WORKSPACE.parse().unwrap(), 0)
    };
    let seal = |key: &ApiKey| hex::encode(mint.seal_api_key(key, &Digest::new([9; 32])).as_bytes());
    assert_eq!(seal(&key), "e82beb487d5afc9fa22cf3d87717efba9365ddfa593c261a21cf8e6675cacfa3");
    let expires = ApiKey { expires_at: micros::to_time(1_800_000_000_123_456), ..key };
    assert_eq!(seal(&expires), "b025c1c16cb141ca9d72f675fa32dd3a0c5aa227395e6adbdff47ef42e3aa711");
}

#[test]
fn cursors() {
    let position = Tokens::new(&root()).open_cursor(b"context", "AQUFBQUFBQUFBQUFBZ23Pxh__P8xJve8JEynB9SE8cNWKHX3Lw");
    assert_eq!(position.as_deref(), Some(b"position".as_slice()));
}

#[test]
fn audit_events() {
    let workspace: WorkspaceId = WORKSPACE.parse().unwrap();
    let person: PersonId = PERSON.parse().unwrap();
    let record = AuditRecord {
        version: 1,
        workspace,
        seq: 7,
        at: micros::to_time(1_800_000_000_123_456).unwrap(),
        action: "api_key.created".to_owned(),
        risk: Risk::Medium,
        actor_kind: "member".to_owned(),
        actor_key: None,
        target_kind: "api_key".to_owned(),
        target_id: Some(ID.parse().unwrap()),
        changes: vec![FieldChange { field: "scopes".to_owned(), from: None, to: Some("runs:read".to_owned()) }],
    };
    let commitment = |field: &str, hash: &str| Commitment { field: field.to_owned(), hash: hash.to_owned() };
    let opening = |field: &str, sealed| Opening { field: field.to_owned(), person, sealed: Some(bytes(sealed)) };
    let event = SealedEvent {
        record,
        commitments: vec![
            commitment("actor", "e298f69b6ee243dbdaa3e19394cbbb5886b2fd57fb534203f230753f9b18d871"),
            commitment("name", "196d211576cafbd7e44f0d5926454462a3c18ff3a6dc6b9fc4ea366b00ea3d33"),
        ],
        openings: vec![
            opening("actor", "01070707070707070707070707d2e64bb43eba001dd666ba05b945624701624f"),
            opening("name", "01070707070707070707070707e9ede90f6416e53738a19c870100bbcd9b1c5ad9"),
        ],
        hash: bytes32("659f80ebe4a8c70630c5c691b987b44b7039041d56fdd0a8b17773dd89081f1c"),
        mac: bytes32("6bb79dbfceda593f2a339497e4aeafa6a5b4f8d68f6cdef20d084b325779c698"),
    };
    let salt = "010606060606060606060606060703d5729b5190e5270b8dec0278656fa6330fcaebe8e0abd84f1043972846d133316cbd4479a316d04fe3f4ddb50aaa";
    let salts = Salts::from([(person, bytes(salt))]);
    let prev = Link { seq: 6, hash: [3; 32] };
    let link = Link { seq: 7, hash: event.hash };
    let keys = AuditKeys::new(&root());
    assert_eq!(verify_public(&prev, &event.record, &event.commitments, &event.hash), Ok(link));
    assert_eq!(keys.check(&prev, &event, &salts), Ok(link));
    let values = event.openings.iter().map(|o| keys.open(workspace, 7, o, &salts).unwrap().unwrap());
    assert_eq!(values.collect::<Vec<_>>(), ["ada", "Zoë"]);
}

#[test]
fn checkpoints() {
    let keys = AuditKeys::new(&root());
    let hash = bytes32("659f80ebe4a8c70630c5c691b987b44b7039041d56fdd0a8b17773dd89081f1c");
    let note = keys.checkpoint(WORKSPACE.parse().unwrap(), &Link { seq: 7, hash }).unwrap();
    assert_eq!(
        note,
        "settings-audit/0192f0c1-0000-7000-8000-000000000001\n7\nZZ+A6+SoxwYwxcaRuYe0S3A5BB1W/dCosXdz3YkIHxw=\n\n\
         \u{2014} settings-audit \
         9lbqZlenAdEMio3YviSqmXCKYTM71opeTvf0/uKz3l8YH3GqTaFY9t8tLOGF2DbbOOyueHsbwAYuLUd56WdqoT/j+Qs=\n"
    );
    let key = keys.checkpoint_key().unwrap();
    assert_eq!(key.verifier(), "settings-audit+f656ea66+AUyL8iJtfTOfGrToEQjjZOrJJeXs1YNacGdwWA+j4j08");
    assert_eq!(
        key.pem(),
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEATIvyIm19M58atOgRCONk6skl5ezVg1pwZ3BYD6PiPTw=\n-----END PUBLIC KEY-----\n"
    );
}

#[tokio::test]
async fn keyrings() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keyring.json");
    let wrapped = "01026b310808080808080808080808085ca6fd95caaaa5a6a298cb678931b55f6aa70bf68be6cc1474689aed8a17b5d47d2b7756f70b2192627950901664e697";
    let keyring = golden_keyring(&path);
    let key = keyring.decrypt(&bytes(wrapped), &[("purpose", "service-root"), ("a", "1")]).await.unwrap();
    assert_eq!(key.expose_secret(), (0..32).collect::<Vec<u8>>());
}

/// One data key of a workspace, as the table has it.
struct Row(WrappedDataKey);
#[async_trait]
impl DataKeyStore for Row {
    async fn data_keys(&self, _: TenantScope) -> Result<Vec<WrappedDataKey>, StoreError> {
        Ok(vec![self.0.clone()])
    }
    async fn keep_data_key(&self, _: TenantScope, _: &WrappedDataKey) -> Result<WrappedDataKey, StoreError> {
        unreachable!("it is there")
    }
    async fn old_wrappings(
        &self,
        _: &Permit<actions::RotateKeys>,
        _: &str,
        _: Option<(WorkspaceId, i64)>,
        _: i64,
    ) -> Result<Vec<OldWrapping>, StoreError> {
        unreachable!("nobody rotates")
    }
    async fn rewrap(&self, _: &Permit<actions::RotateKeys>, _: &[Rewrapped]) -> Result<u64, StoreError> {
        unreachable!("nobody rotates")
    }
    async fn count_wrappings(&self, _: &str) -> Result<(i64, i64), StoreError> {
        unreachable!("nobody rotates")
    }
}

#[tokio::test]
async fn values() {
    let directory = tempfile::tempdir().unwrap();
    let keyring = Arc::new(golden_keyring(&directory.path().join("keyring.json")));
    let wrapped = "01026b310a0a0a0a0a0a0a0a0a0a0a0af2b7026deeae95e2b58ecd78d910a6d56aa37e1d569a903d87a14e60c6dcbac3dd083ab86db3aadcc5373fb10c3ae4b9";
    let created_at = micros::to_time(1_800_000_000_123_456).unwrap();
    let row = WrappedDataKey { generation: 3, wrapped: bytes(wrapped), wrapped_by: "k1".to_owned(), created_at };
    let vault = EnvelopeVault::new(keyring, Arc::new(Row(row)), Arc::new(SystemClock), &root());
    let workspace: WorkspaceId = WORKSPACE.parse().unwrap();
    let permit = permit::<actions::ResolveVariables>(&Actor::task(SystemTask::Execute, workspace), created_at).unwrap();
    let cipher = vault.generation(permit.scope(), 3).await.unwrap();
    let (environment, record) = (PERSON.parse().unwrap(), ID.parse().unwrap());
    let origin = "https://models.example";
    for (binding, sealed) in [
        (
            Variable::binding(workspace, environment, VariableId::from_uuid(record), 5),
            "01090909090909090909090909cd21fe1d6f344d65c36eb605a0271c6e78569224",
        ),
        (
            Secret::binding(workspace, environment, SecretId::from_uuid(record), 5),
            "01090909090909090909090909cd21fe1d8bad32d4ec16916546d57148c83e3be5",
        ),
        (
            Model::binding(workspace, ModelId::from_uuid(record), AuthType::ClientKey, origin, 5),
            "01090909090909090909090909cd21fe1d9d6739df96625e3ca54d498874cfbae6",
        ),
    ] {
        let variable = Variable {
            workspace,
            id: VariableId::from_uuid(record),
            environment,
            name: "NAME".parse().unwrap(),
            created_at,
            updated_at: created_at,
            version: 5,
        };
        let value = StoredValue::new(binding, Sealed::new(3, bytes(sealed)), Digest::none());
        let row = VariableRecord { variable, value };
        assert_eq!(cipher.open(row.opening(&permit).unwrap()).unwrap().expose_secret(), "Zoë");
    }
    let value = SecretValue::new("Zoë".to_owned().into()).unwrap();
    assert_eq!(
        hex::encode(vault.digest(permit.scope(), &value).as_bytes()),
        "5316b1ad6af42a8c7c27a174497346626ada9ae48770c8134e8eb00098f2880b"
    );
}
