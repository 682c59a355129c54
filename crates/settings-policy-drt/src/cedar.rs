//! The policy as Cedar has it.
use crate::{
    compare::{Evaluator, Trouble},
    request::{Expiry, Membership, Question, Situation, duty},
};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression, Schema, ValidationMode, Validator,
};
use settings_domain::policy::{Permission, Role, Scope};
use std::collections::{HashMap, HashSet};

/// The text of schema and policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The schema.
    pub schema: String,
    /// All policies.
    pub policies: String,
}

impl Default for Files {
    /// Those of this crate.
    fn default() -> Self {
        let policies = [
            include_str!("../policy/people.cedar"),
            include_str!("../policy/keys.cedar"),
            include_str!("../policy/service.cedar"),
        ];
        Self { schema: include_str!("../policy/settings.cedarschema").to_owned(), policies: policies.join("\n") }
    }
}

/// Schema and policies, read and validated.
#[derive(Debug)]
pub struct CedarPolicy {
    schema: Schema,
    policies: PolicySet,
    authorizer: Authorizer,
    /// The workspaces, of which one is there and one was deleted, and the other one.
    places: Entities,
    types: HashMap<&'static str, EntityTypeName>,
}

/// The instant of every request, in microseconds.
const NOW: i64 = 0;
const NAME: &str = "Cedar";
const TYPES: [&str; 10] =
    ["Account", "Action", "ApiKey", "Duty", "EventType", "Invitee", "Scope", "Task", "Team", "Workspace"];

fn trouble(cause: impl std::fmt::Display) -> Trouble {
    Trouble { evaluator: NAME, cause: cause.to_string() }
}

const fn place(deleted: bool, foreign: bool) -> &'static str {
    match (foreign, deleted) {
        (true, _) => "other",
        (false, true) => "gone",
        (false, false) => "acme",
    }
}

/// What is asked, as Cedar has it: action and context.
type Asked = (EntityUid, Vec<(String, RestrictedExpression)>);

impl CedarPolicy {
    /// Reads and validates the policies of this crate.
    pub fn new() -> Result<Self, Trouble> {
        Self::of(&Files::default())
    }

    /// Reads and validates: a policy that does not match the schema is a fault, and so is a mere warning.
    pub fn of(files: &Files) -> Result<Self, Trouble> {
        let (schema, warnings) = Schema::from_cedarschema_str(&files.schema).map_err(trouble)?;
        if let Some(warning) = warnings.into_iter().next() {
            return Err(trouble(warning));
        }
        let policies: PolicySet = files.policies.parse().map_err(trouble)?;
        let result = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if !result.validation_passed_without_warnings() {
            return Err(trouble(format!("the policies do not match the schema: {result}")));
        }
        let types: Result<HashMap<_, _>, Trouble> =
            TYPES.into_iter().map(|name| Ok((name, name.parse::<EntityTypeName>().map_err(trouble)?))).collect();
        let mut policy =
            Self { schema, policies, authorizer: Authorizer::new(), places: Entities::empty(), types: types? };
        let places = ["acme", "gone", "other"].map(|name| policy.workspace(name));
        let places = places.into_iter().collect::<Result<Vec<_>, _>>()?;
        policy.places = Entities::from_entities(places, Some(&policy.schema)).map_err(trouble)?;
        Ok(policy)
    }

    fn uid(&self, kind: &str, id: &str) -> Result<EntityUid, Trouble> {
        let name = self.types.get(kind).ok_or_else(|| trouble(format!("{kind} is no type of the schema")))?;
        Ok(EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id)))
    }
    fn reference(&self, kind: &str, id: &str) -> Result<RestrictedExpression, Trouble> {
        Ok(RestrictedExpression::new_entity_uid(self.uid(kind, id)?))
    }
    fn team(&self, workspace: &str, role: Role) -> Result<EntityUid, Trouble> {
        self.uid("Team", &format!("{workspace}/{role}"))
    }

    fn workspace(&self, name: &str) -> Result<Entity, Trouble> {
        let team = |role| Ok(RestrictedExpression::new_entity_uid(self.team(name, role)?));
        let attributes = HashMap::from([
            ("deleted".to_owned(), RestrictedExpression::new_bool(name == "gone")),
            ("admins".to_owned(), team(Role::Admin)?),
            ("editors".to_owned(), team(Role::Editor)?),
            ("viewers".to_owned(), team(Role::Viewer)?),
        ]);
        Entity::new(self.uid("Workspace", name)?, attributes, HashSet::new()).map_err(trouble)
    }

    fn principal(&self, situation: Situation) -> Result<Entity, Trouble> {
        let mut attributes = HashMap::new();
        let mut parents = HashSet::new();
        let uid = match situation {
            Situation::Account { platform, here, elsewhere, deleted } => {
                for (membership, workspace) in [(here, place(deleted, false)), (elsewhere, place(false, true))] {
                    // Who has left is on no team.
                    if let Membership::Active(role) = membership {
                        parents.insert(self.team(workspace, role)?);
                    }
                }
                attributes.insert("platform".to_owned(), RestrictedExpression::new_bool(platform));
                self.uid("Account", "ada")?
            }
            Situation::Key { scopes, foreign, revoked, expiry, deleted } => {
                let held = scopes.iter().map(|s: Scope| self.reference("Scope", s.name()));
                let held = held.collect::<Result<Vec<_>, _>>()?;
                let workspace = self.reference("Workspace", place(deleted, foreign))?;
                attributes.insert("workspace".to_owned(), workspace);
                attributes.insert("scopes".to_owned(), RestrictedExpression::new_set(held));
                attributes.insert("revoked".to_owned(), RestrictedExpression::new_bool(revoked));
                let end = match expiry {
                    Expiry::Never => None,
                    Expiry::Ahead => Some(NOW + 1),
                    Expiry::Now => Some(NOW),
                    Expiry::Behind => Some(NOW - 1),
                };
                if let Some(end) = end {
                    attributes.insert("expiresAt".to_owned(), RestrictedExpression::new_long(end));
                }
                self.uid("ApiKey", "deploy")?
            }
            Situation::Invitee { foreign } => {
                attributes.insert("workspace".to_owned(), self.reference("Workspace", place(false, foreign))?);
                self.uid("Invitee", "ada")?
            }
            Situation::Service { task, foreign } => {
                attributes.insert("workspace".to_owned(), self.reference("Workspace", place(false, foreign))?);
                attributes.insert("duty".to_owned(), self.reference("Duty", duty(task))?);
                self.uid("Task", "worker")?
            }
        };
        Entity::new(uid, attributes, parents).map_err(trouble)
    }

    fn asked(&self, question: Question) -> Result<Asked, Trouble> {
        let mut context = vec![("now".to_owned(), RestrictedExpression::new_long(NOW))];
        let action = match question {
            Question::Permission(permission) => permission.name(),
            Question::Action(action) => action.name,
            Question::Publish(event) => {
                context.push(("event".to_owned(), self.reference("EventType", event.name())?));
                Permission::EventsPublish.name()
            }
        };
        Ok((self.uid("Action", action)?, context))
    }

    /// What Cedar needs to know about a situation. The requests about it share it.
    pub fn entities(&self, situation: &Situation) -> Result<Entities, Trouble> {
        self.places.clone().add_entities([self.principal(*situation)?], Some(&self.schema)).map_err(trouble)
    }

    /// A question as a request. One that does not match the schema is a fault and not a "no": a permission that Cedar does not
    /// know yet is named here.
    pub fn request(&self, situation: &Situation, question: Question) -> Result<Request, Trouble> {
        let deleted = match *situation {
            Situation::Account { deleted, .. } | Situation::Key { deleted, .. } => deleted,
            Situation::Invitee { .. } | Situation::Service { .. } => false,
        };
        let (action, context) = self.asked(question)?;
        let context = Context::from_pairs(context).map_err(trouble)?;
        let resource = self.uid("Workspace", place(deleted, false))?;
        let principal = self.principal(*situation)?.uid();
        Request::new(principal, action, resource, context, Some(&self.schema)).map_err(trouble)
    }

    /// Cedar's answer. A policy that can't be evaluated is a fault: Cedar itself leaves it out.
    pub fn decide(&self, request: &Request, entities: &Entities) -> Result<bool, Trouble> {
        let response = self.authorizer.is_authorized(request, &self.policies, entities);
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(trouble(error));
        }
        Ok(response.decision() == Decision::Allow)
    }
}

impl Evaluator for CedarPolicy {
    fn name(&self) -> &'static str {
        NAME
    }
    fn answer(&self, situation: &Situation, questions: &[Question]) -> Result<Vec<bool>, Trouble> {
        let entities = self.entities(situation)?;
        questions.iter().map(|q| self.decide(&self.request(situation, *q)?, &entities)).collect()
    }
}
