//! The AI providers that are known by name.
use std::str::FromStr;

/// Who serves a model (seed A, Register a model integration).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Anthropic.
    Anthropic,
    /// `OpenAI`.
    #[serde(rename = "openai")]
    OpenAi,
    /// Google.
    Google,
    /// Azure `OpenAI`: each customer has a host.
    #[serde(rename = "azure_openai")]
    AzureOpenAi,
    /// AWS Bedrock: requests are signed.
    AwsBedrock,
    /// Anybody else.
    Custom,
}

impl Provider {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 6] =
        [Self::Anthropic, Self::OpenAi, Self::Google, Self::AzureOpenAi, Self::AwsBedrock, Self::Custom];
    /// Name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
            Self::Google => "google",
            Self::AzureOpenAi => "azure_openai",
            Self::AwsBedrock => "aws_bedrock",
            Self::Custom => "custom",
        }
    }
    /// Name for people: what a model is called where nobody gave it a name.
    #[must_use]
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::Anthropic => "Anthropic",
            Self::OpenAi => "OpenAI",
            Self::Google => "Google",
            Self::AzureOpenAi => "Azure OpenAI",
            Self::AwsBedrock => "AWS Bedrock",
            Self::Custom => "Custom",
        }
    }
    /// Where it is called when nobody says otherwise; `None` where each customer has an address of their own.
    #[must_use]
    pub const fn default_url(self) -> Option<&'static str> {
        match self {
            Self::Anthropic => Some("https://api.anthropic.com/v1/messages"),
            Self::OpenAi => Some("https://api.openai.com/v1/chat/completions"),
            Self::Google => Some("https://generativelanguage.googleapis.com/v1beta/models"),
            Self::AzureOpenAi | Self::AwsBedrock | Self::Custom => None,
        }
    }
    /// Whose host it is: models registered by their URL alone (seed B) name no provider.
    #[must_use]
    pub fn of_host(host: &str) -> Self {
        let at_or_below =
            |parent: &str| host.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let bedrock = host.split('.').any(|label| label == "bedrock-runtime" || label == "bedrock-runtime-fips");
        if at_or_below("anthropic.com") {
            Self::Anthropic
        } else if at_or_below("openai.azure.com") {
            Self::AzureOpenAi
        } else if at_or_below("openai.com") {
            Self::OpenAi
        } else if at_or_below("googleapis.com") {
            Self::Google
        } else if bedrock && (at_or_below("amazonaws.com") || at_or_below("amazonaws.com.cn") || at_or_below("api.aws"))
        {
            Self::AwsBedrock
        } else {
            Self::Custom
        }
    }
}

/// The text names no provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of anthropic, openai, google, azure_openai, aws_bedrock, custom")]
pub struct ParseProviderError;

impl FromStr for Provider {
    type Err = ParseProviderError;
    fn from_str(s: &str) -> Result<Self, ParseProviderError> {
        Self::ALL.into_iter().find(|p| p.name() == s).ok_or(ParseProviderError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_known_by_its_host_and_a_host_that_only_looks_like_it_is_not() {
        for (host, provider) in [
            ("api.openai.com", Provider::OpenAi),
            ("api.anthropic.com", Provider::Anthropic),
            ("generativelanguage.googleapis.com", Provider::Google),
            ("acme.openai.azure.com", Provider::AzureOpenAi),
            ("bedrock-runtime.us-east-1.amazonaws.com", Provider::AwsBedrock),
            ("s3.us-east-1.amazonaws.com", Provider::Custom),
            ("notopenai.com", Provider::Custom),
            ("api.openai.com.evil.example", Provider::Custom),
            ("bedrock-runtime.example.org", Provider::Custom),
        ] {
            assert_eq!(Provider::of_host(host), provider, "{host}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for p in Provider::ALL {
            assert_eq!(p.name().parse(), Ok(p));
            assert_eq!(serde_json::to_value(p).ok(), Some(p.name().into()));
        }
        assert!("OpenAI".parse::<Provider>().is_err());
    }
}
