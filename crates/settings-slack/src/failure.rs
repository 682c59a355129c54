//! What Slack's error codes mean, in words of our own.
use settings_domain::ports::slack::SlackError;
use time::Duration;

/// How long to wait where Slack asks to, and does not say for how long.
const PATIENCE: Duration = Duration::seconds(30);
/// The longest that Slack may put us off. The queue's own schedule has to come to its end.
const LONGEST: Duration = Duration::hours(24);

/// What both calls may be told.
fn of_any_call(code: &str) -> Option<SlackError> {
    use SlackError::{Auth, RateLimited, Unavailable};
    Some(match code {
        "invalid_auth" | "not_authed" => Auth("Slack does not know the connection's token"),
        "account_inactive" => Auth("Slack says that the app was removed or its account deactivated"),
        "token_revoked" => Auth("Slack says that the connection was revoked"),
        "token_expired" => Auth("Slack says that the connection has expired"),
        "missing_scope" | "no_permission" | "not_allowed_token_type" => {
            Auth("Slack says that the connection lacks a permission")
        }
        "org_login_required" | "team_access_not_granted" | "enterprise_is_restricted" | "two_factor_setup_required" => {
            Auth("Slack says that the organization has to let the app in")
        }
        "access_denied" | "ekm_access_denied" => Auth("Slack says that an administrator has suspended access"),
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => RateLimited(PATIENCE),
        "internal_error" | "fatal_error" | "service_unavailable" | "team_added_to_org" => {
            Unavailable("Slack failed; it says so itself")
        }
        "request_timeout" => Unavailable("Slack did not get the whole request in time"),
        _ => return None,
    })
}

/// Why a message was not posted.
pub(crate) fn of_a_post(code: &str) -> SlackError {
    use SlackError::{Channel, Refused};
    of_any_call(code).unwrap_or(match code {
        "channel_not_found" => Channel("Slack does not find the channel: it was deleted, or it is private"),
        "not_in_channel" => Channel("Slack says that the app is not in the channel"),
        "is_archived" => Channel("Slack says that the channel is archived"),
        "channel_is_limited_access"
        | "restricted_action"
        | "restricted_action_read_only_channel"
        | "restricted_action_thread_only_channel"
        | "restricted_action_non_threadable_channel"
        | "slack_connect_canvas_sharing_blocked" => Channel("Slack says that the app may not post in the channel"),
        "msg_too_long" | "msg_blocks_too_long" => Refused("Slack says that the message is too long"),
        "no_text" | "invalid_blocks" | "invalid_blocks_format" | "invalid_arguments" | "invalid_json" => {
            Refused("Slack does not understand the message")
        }
        _ => Refused("Slack refused the message"),
    })
}

/// Why a code was not exchanged.
pub(crate) fn of_an_exchange(code: &str) -> SlackError {
    use SlackError::{Code, Configuration, Refused};
    match code {
        "invalid_client_id"
        | "bad_client_secret"
        | "invalid_client"
        | "missing_client_id"
        | "missing_client_secret" => {
            return Configuration;
        }
        "invalid_code" | "code_expired" => return Code("the authorization has expired or is not one of Slack's"),
        "code_already_used" => return Code("the authorization was used before"),
        "bad_redirect_uri" | "oauth_authorization_url_mismatch" => {
            return Code("the authorization was made for another address of this service");
        }
        _ => {}
    }
    of_any_call(code).unwrap_or(Refused("Slack refused the connection"))
}

/// How long Slack asks to wait: seconds, at least one.
pub(crate) fn patience(retry_after: Option<&str>) -> Duration {
    let text = retry_after.map(str::trim).filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    // More digits than a number holds are a long time too.
    text.map_or(PATIENCE, |text| text.parse().map_or(LONGEST, Duration::seconds)).clamp(Duration::SECOND, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_ends_the_connection_blames_the_channel_waits_or_gives_up() {
        for code in
            ["invalid_auth", "account_inactive", "token_revoked", "token_expired", "not_authed", "missing_scope"]
        {
            assert!(matches!(of_a_post(code), SlackError::Auth(_)), "{code}");
        }
        assert!(matches!(of_a_post("org_login_required"), SlackError::Auth(_)));
        for code in ["channel_not_found", "not_in_channel", "is_archived"] {
            assert!(matches!(of_a_post(code), SlackError::Channel(_)), "{code}");
        }
        assert_eq!(of_a_post("ratelimited"), SlackError::RateLimited(Duration::seconds(30)));
        assert!(matches!(of_a_post("internal_error"), SlackError::Unavailable(_)));
        for code in ["msg_too_long", "no_text", "", "a_code_of_tomorrow"] {
            assert!(matches!(of_a_post(code), SlackError::Refused(_)), "{code}");
        }
        for code in ["invalid_code", "code_already_used", "bad_redirect_uri"] {
            assert!(matches!(of_an_exchange(code), SlackError::Code(_)), "{code}");
        }
        for code in ["invalid_client_id", "bad_client_secret"] {
            assert_eq!(of_an_exchange(code), SlackError::Configuration, "{code}");
        }
        assert!(matches!(of_an_exchange("fatal_error"), SlackError::Unavailable(_)));
        assert!(matches!(of_an_exchange("a_code_of_tomorrow"), SlackError::Refused(_)));
    }

    #[test]
    fn slack_is_left_alone_for_as_long_as_it_asks_but_no_longer_than_a_day() {
        for (text, seconds) in [
            (None, 30),
            (Some("120"), 120),
            (Some(" 120 "), 120),
            (Some("0"), 1),
            (Some("-5"), 30),
            (Some("soon"), 30),
            (Some(""), 30),
            (Some("86401"), 86_400),
            (Some("99999999999999999999999"), 86_400),
        ] {
            assert_eq!(patience(text), Duration::seconds(seconds), "{text:?}");
        }
    }
}
