//! The smoke tests that every engine runs: its own test binary includes this file. The full contract suite over all
//! stores is in `settings-testkit`.
pub(crate) mod breaking;
mod life;
mod races;
pub(crate) mod world;

pub(crate) use life::{
    a_member_of_one_workspace_need_not_name_it, a_workspace_lives, environments_trade_names, sign_in_works_once,
};
pub(crate) use races::{
    a_caller_who_leaves_tears_nothing, doubt_is_an_error, no_call_after_a_revocation_sees_the_key_active,
    one_idempotency_key_has_one_effect,
};
