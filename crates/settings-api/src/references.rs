//! `/references`: what workflows, prompts and agents say they use (contract, References).
use crate::{
    Api,
    answer::{Answer, rfc3339},
    input::Input,
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
};
use http::Method;
use serde::Serialize;
use settings_domain::{
    policy::{Permit, actions},
    references::{Declaration, Declares, MAX_USES, Referrer as Entity, ReferrerKey, ReferrerKind, Use, UsedKind},
    text::DisplayName,
    transaction::Call,
};
use std::{collections::BTreeSet, sync::Arc};
use utoipa::ToSchema;
use uuid::Uuid;

/// All that something uses.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the schema of the body; it is read as a `Declared`")]
pub(crate) struct References {
    /// The name of what refers, 1 to 200 characters: people see it before they delete what it uses.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: DisplayName,
    /// The whole list; an empty one takes everything back.
    #[schema(max_items = 1000)]
    uses: Vec<Used>,
}

/// One thing that is used.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Used {
    /// `variable`, `model`, `secret` or `environment`.
    #[schema(value_type = String)]
    kind: &'static str,
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
}

/// An id of any kind, in its one spelling.
struct AnyId(Uuid);
impl std::str::FromStr for AnyId {
    type Err = settings_domain::ids::ParseIdError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.parse::<settings_domain::ids::VariableId>().map(|id| Self(id.as_uuid()))
    }
}

struct Reading(Use);
impl Body for Reading {
    fn read(f: &mut Fields) -> Option<Self> {
        let (kind, id) = (f.required::<UsedKind>("kind"), f.required::<AnyId>("id"));
        Some(Self(Use { kind: kind?, id: id?.0 }))
    }
}

struct Declared {
    name: DisplayName,
    uses: BTreeSet<Use>,
}
impl Body for Declared {
    fn read(f: &mut Fields) -> Option<Self> {
        let name = f.required("name");
        let uses = f.list("uses", MAX_USES, |f, path, v| f.entry_object::<Reading>(&path, v));
        Some(Self { name: name?, uses: uses?.into_iter().map(|Reading(u)| u).collect() })
    }
}

/// What refers, with all that it uses.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the HTTP contract")]
pub(crate) struct Referrer {
    /// What kind of thing refers.
    referrer_kind: String,
    /// Its id, in the words of the service that runs it.
    referrer_id: String,
    /// Its name.
    name: String,
    /// All that it uses.
    uses: Vec<Used>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Counts declarations; also the entity tag.
    version: i64,
}

impl From<&Entity> for Referrer {
    fn from(r: &Entity) -> Self {
        Self {
            referrer_kind: r.key.kind.to_string(),
            referrer_id: r.key.id.to_string(),
            name: r.name.to_string(),
            uses: r.uses.iter().map(|u| Used { kind: u.kind.name(), id: u.id.to_string() }).collect(),
            updated_at: rfc3339(r.updated_at),
            version: r.version,
        }
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "references";
    const RULES: &[&str] = &["quota-reached", "precondition-failed"];
    vec![
        op(
            Method::PUT,
            "/references/{referrerKind}/{referrerId}",
            "declareReferences",
            T,
            "Say all that a workflow, prompt or the like uses",
        )
        .takes::<References>()
        .gives::<Referrer>(200)
        .problems(RULES)
        .write(declare::<actions::DeclareReferences>),
        op(Method::PUT, "/references/agent/{referrerId}", "declareAgentReferences", T, "Say all that an agent uses")
            .takes::<References>()
            .gives::<Referrer>(200)
            .problems(RULES)
            .write(declare::<actions::DeclareAgentReferences>),
    ]
}

async fn declare<A: Declares>(
    api: Arc<Api>,
    permit: Permit<A>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    // The address of agents names no kind: it is the kind.
    let kind = match input.param("referrerKind") {
        "" => ReferrerKind::AGENT,
        kind => kind,
    };
    let not_found = || Problem::plain("not-found");
    let key = ReferrerKey {
        kind: kind.parse().map_err(|_| not_found())?,
        id: input.param("referrerId").parse().map_err(|_| not_found())?,
    };
    let Declared { name, uses } = input.json()?;
    let done = api.app().declare_references(&permit, &call, Declaration { key, name, uses }).await?;
    Ok(Answer::ok(&Referrer::from(done.value())).version(done.value().version))
}
