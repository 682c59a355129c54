use crate::support::{email, stage};
use secrecy::ExposeSecret as _;
use settings_app::{authenticate::Credential, sign_in::SeedError};
use time::Duration;

#[tokio::test]
async fn the_first_workspace_is_entered_by_its_printed_link_once() {
    let stage = stage();
    let link =
        stage.app.seed("acme".parse().unwrap(), "Acme".parse().unwrap(), email("admin@acme.example")).await.unwrap();
    let token = link.expose_secret().strip_prefix("https://settings.example/sign-in/").unwrap().to_owned();
    let signed_in = stage.app.redeem_sign_in(&token).await.unwrap().unwrap();
    assert!(stage.app.redeem_sign_in(&token).await.unwrap().is_none(), "a link works once");
    let auth = stage.app.authenticate(&Credential::Bearer(signed_in.token.clone())).await.unwrap();
    assert_eq!(auth.user.unwrap().email, Some(email("admin@acme.example")));
    stage.app.end_session(signed_in.token.expose_secret()).await.unwrap();
    assert!(stage.app.authenticate(&Credential::Bearer(signed_in.token)).await.is_err(), "the session has ended");
    let again = stage.app.seed("acme".parse().unwrap(), "Acme".parse().unwrap(), email("admin@acme.example")).await;
    assert!(matches!(again, Err(SeedError::Refused)), "the slug is taken");
}

#[tokio::test]
async fn a_link_is_over_after_its_time() {
    let stage = stage();
    let link = stage.app.sign_in_link(email("ada@example.org"), Duration::minutes(15)).await.unwrap();
    let token = link.expose_secret().rsplit('/').next().unwrap().to_owned();
    stage.store.advance(Duration::minutes(15));
    assert!(stage.app.redeem_sign_in(&token).await.unwrap().is_none());
}
