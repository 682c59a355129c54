//! What each provider is asked, and what is made of its answer.
use crate::support::{CANARY, Responder, local_prober, pair, probe, token};
use settings_domain::models::Provider;

/// The request line and the header that carries the credential.
const QUESTIONS: [(Provider, &str, &str); 5] = [
    (Provider::Anthropic, "GET /v1/models HTTP/1.1", "x-api-key: sk-canary"),
    (Provider::OpenAi, "GET /v1/models HTTP/1.1", "authorization: Bearer sk-canary"),
    (Provider::Google, "GET /v1beta/models?pageSize=1 HTTP/1.1", "x-goog-api-key: sk-canary"),
    (Provider::AzureOpenAi, "GET /openai/models?api-version=2024-10-21 HTTP/1.1", "api-key: sk-canary"),
    (Provider::Custom, "GET /deep/path?of=the&model=1 HTTP/1.1", "authorization: Bearer sk-canary"),
];

#[tokio::test]
async fn each_provider_is_asked_once_at_the_origin_in_its_own_way() {
    let prober = local_prober();
    for (provider, line, header) in QUESTIONS {
        let responder = Responder::says(200);
        let report = probe(&prober, provider, responder.url("/deep/path?of=the&model=1"), token(CANARY)).await;
        assert_eq!((report.reachable, report.authenticated, report.status), (true, Some(true), Some(200)));
        let requests = responder.requests();
        assert_eq!(requests.len(), 1, "{provider:?}");
        assert_eq!(requests[0].lines().next().unwrap(), line);
        assert_eq!(requests[0].matches("sk-canary").count(), 1, "{}", requests[0]);
        assert!(requests[0].contains(header), "{}", requests[0]);
        assert_eq!(requests[0].contains("anthropic-version: 2023-06-01"), provider == Provider::Anthropic);
    }
}

#[tokio::test]
async fn a_status_becomes_a_verdict_and_a_sentence_that_says_what_to_do() {
    use Provider::{Anthropic, AwsBedrock, AzureOpenAi, Custom, Google, OpenAi};
    let prober = local_prober();
    for (provider, status, authenticated, says) in [
        (OpenAi, 200, Some(true), "OpenAI accepted the token."),
        (
            OpenAi,
            401,
            Some(false),
            "OpenAI refused the token (401): check that it is current and belongs to this account.",
        ),
        (Anthropic, 403, Some(false), "Anthropic refused the token (403): check that it is current, belongs"),
        (Custom, 401, Some(false), "The provider refused the token (401): check that it is current"),
        (Custom, 403, Some(false), "The provider refused the token (403)"),
        (Google, 400, Some(false), "Google refused the token (400)"),
        (OpenAi, 400, None, "OpenAI answers (400), which does not tell"),
        (AzureOpenAi, 404, None, "Something answers, but not as Azure OpenAI does (404): check the host"),
        (Anthropic, 405, None, "Something answers, but not as Anthropic does (405)"),
        (OpenAi, 429, None, "OpenAI limits calls now (429): test again later"),
        (Custom, 429, None, "The provider limits calls now (429)"),
        (Google, 503, None, "Google has a failure of its own (503): test again later."),
        (OpenAi, 302, None, "OpenAI redirects (302): redirects are not followed"),
        (Custom, 307, None, "The provider redirects (307)"),
        (Custom, 404, None, "The provider answers (404) and did not refuse the token"),
        (Custom, 405, None, "The provider answers (405) and did not refuse the token"),
        (Custom, 422, None, "The provider answers (422) and did not refuse the token"),
        (AwsBedrock, 400, Some(true), "AWS Bedrock accepted the token."),
        (AwsBedrock, 403, Some(false), "AWS Bedrock refused the token (403)"),
        (AwsBedrock, 404, None, "AWS Bedrock knows no such model (404): check the model's id and the region"),
        (AwsBedrock, 429, None, "AWS Bedrock limits calls now (429)"),
    ] {
        let responder = Responder::says(status);
        let report = probe(&prober, provider, responder.url("/"), token(CANARY)).await;
        assert!(report.reachable);
        assert_eq!((report.authenticated, report.status), (authenticated, Some(status)), "{provider:?}");
        assert!(report.detail.starts_with(says), "{status}: {}", report.detail);
        assert_eq!(responder.requests().len(), 1, "nothing is tried twice and no redirect is followed");
    }
}

#[tokio::test]
async fn a_client_key_is_not_guessed_at_and_not_sent() {
    let prober = local_prober();
    for provider in Provider::ALL {
        for status in [200, 401, 404] {
            let responder = Responder::says(status);
            let credential = pair("AKIACANARY", "secret-canary");
            let report = probe(&prober, provider, responder.url("/model/m/invoke"), credential).await;
            assert_eq!((report.reachable, report.authenticated, report.status), (true, None, Some(status)));
            assert!(report.detail.contains("The client key was not tried"), "{}", report.detail);
            let request = responder.requests().remove(0).to_lowercase();
            for word in ["canary", "authorization", "key:"] {
                assert!(!request.contains(word), "{request}");
            }
        }
    }
}

#[tokio::test]
async fn a_credential_that_no_request_can_carry_is_not_sent() {
    let prober = local_prober();
    for (provider, ..) in QUESTIONS {
        for bad in ["sk canary", "canary\n", "canary\r\nx-evil: 1", "cänary"] {
            let responder = Responder::says(200);
            let report = probe(&prober, provider, responder.url("/"), token(bad)).await;
            assert_eq!((report.reachable, report.authenticated, report.status), (false, None, None));
            assert!(report.detail.contains("enter it again"), "{}", report.detail);
            assert!(responder.requests().is_empty());
        }
    }
}
