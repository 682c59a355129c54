//! Races: several processes on one Postgres, one process on SQLite, and rules that hold at every instant.
use crate::support::{Answer, Caller, Member, Site, Store, Tenant, eventually, json, on_both_stores, unique};
use futures_util::future::{join, join_all};

on_both_stores!(
    forty_invitations_for_three_seats_are_three,
    two_admins_who_demote_each_other_leave_one,
    a_revoked_key_is_refused_by_every_process_at_once,
    a_demoted_admin_is_refused_by_every_process_at_once,
    a_write_in_flight_is_before_the_revocation_of_its_key_or_refused,
    two_processes_share_one_database,
    seats_and_their_limit_never_cross,
    many_writers_leave_one_chain_without_gaps,
);

/// The processes that race: three on Postgres, one on SQLite.
async fn processes(store: Store) -> Vec<Site> {
    let first = Site::own(store, &[]).await;
    let more = if store == Store::Postgres { 2 } else { 0 };
    let others: Vec<_> = (0..more).map(|_| first.through(first.home.serve(&[]))).collect();
    std::iter::once(first).chain(others).collect()
}

fn at(sites: &[Site], n: usize) -> &Site {
    &sites[n % sites.len()]
}

async fn forty_invitations_for_three_seats_are_three(store: Store) {
    let sites = processes(store).await;
    let tenant = sites[0].tenant_with(json!({"seatLimit": 4})).await;
    let answers = join_all((0..40).map(|n| {
        let body = json!({"email": format!("p{n}.{}@example.org", unique()), "role": "viewer"});
        tenant.admin.at(at(&sites, n)).post(tenant.path("/workspace/members"), body).into_future()
    }))
    .await;
    assert_eq!(answers.iter().filter(|a| a.status == 201).count(), 3);
    answers.iter().filter(|a| a.status != 201).for_each(|a| {
        a.problem(409, "seat-limit-reached");
    });
    let there = tenant.workspace().await;
    assert_eq!((&there["seatsUsed"], &there["seatLimit"]), (&json!(4), &json!(4)));
    assert_eq!(tenant.events_where("&action=member.invited").await.len(), 3);
    tenant.intact().await;
}

async fn two_admins_who_demote_each_other_leave_one(store: Store) {
    let sites = processes(store).await;
    let tenant = sites[0].tenant().await;
    let [other] = tenant.members(["admin"]).await;
    let path = |m: &Member| tenant.path(&format!("/workspace/members/{}", m.id));
    let mut both_ways = 0;
    for round in 0..30 {
        let demote = |by: &Member, whom: &Member, n: usize| {
            let by: Caller = by.at(at(&sites, n));
            let call =
                if round % 3 == 2 { by.delete(path(whom)) } else { by.put(path(whom), json!({"role": "viewer"})) };
            call.into_future()
        };
        let (one, two) = join(demote(&tenant.admin, &other, round), demote(&other, &tenant.admin, round + 1)).await;
        let won = [&one, &two].iter().filter(|a| a.status == 200).count();
        assert_eq!(won, 1, "round {round}: {} {}", one.text(), two.text());
        let lost: &Answer = if one.status == 200 { &two } else { &one };
        let removed = round % 3 == 2;
        // The loser was demoted (403), removed (404), or is the last admin (409).
        assert!([403, 409].contains(&lost.status) || (removed && lost.status == 404), "round {round}: {}", lost.text());
        both_ways |= if one.status == 200 { 1 } else { 2 };
        let admins = tenant.platform.get("/workspace/members?role=admin").await.ok();
        assert_eq!(admins["items"].as_array().unwrap().len(), 1, "round {round}");
        // The platform puts the loser back for the next round.
        let loser = if one.status == 200 { &other } else { &tenant.admin };
        if removed {
            let winner = if one.status == 200 { &*tenant.admin } else { &*other };
            let before = tenant.site.mails_to(&loser.person.email).await.len();
            let invite = json!({"email": loser.person.email, "role": "admin"});
            winner.post(tenant.path("/workspace/members"), invite).await.created();
            let token = tenant.site.nth_invitation(&loser.person.email, before + 1).await;
            loser.act(format!("/api/invitations/{token}/accept")).await.ok();
        } else {
            tenant.platform.put(path(loser), json!({"role": "admin"})).await.ok();
        }
    }
    assert!(both_ways > 0);
    tenant.intact().await;
}

async fn a_revoked_key_is_refused_by_every_process_at_once(store: Store) {
    let sites = processes(store).await;
    let tenant = sites[0].tenant().await;
    for round in 0..100 {
        let key = tenant.key(&["workspace:read"]).await;
        // Every process has seen it and may have it in mind.
        if round % 2 == 0 {
            join_all(sites.iter().map(|site| site.key(&key.value).get("/workspace").into_future()))
                .await
                .iter()
                .for_each(|a| {
                    a.ok();
                });
        }
        let path = tenant.path(&format!("/workspace/api-keys/{}", key.id));
        let admin = tenant.admin.at(at(&sites, round));
        let answer = admin.delete(&path).await;
        if answer.status == 428 {
            let (digest, _) = answer.impact(1);
            admin.delete(&path).confirming(&digest).await.done();
        } else {
            answer.done();
        }
        let after = join_all(sites.iter().map(|site| site.key(&key.value).get("/workspace").into_future())).await;
        for answer in &after {
            answer.problem(401, "unauthenticated");
        }
    }
}

async fn a_demoted_admin_is_refused_by_every_process_at_once(store: Store) {
    let sites = processes(store).await;
    let tenant = sites[0].tenant().await;
    let [member] = tenant.members(["admin"]).await;
    let path = tenant.path(&format!("/workspace/members/{}", member.id));
    for round in 0..50 {
        let admin = tenant.admin.at(at(&sites, round));
        admin.put(&path, json!({"role": "viewer"})).await.ok();
        for site in &sites {
            let there = member.at(site);
            there.put(tenant.path("/workspace"), json!({"name": "Too late"})).await.problem(403, "forbidden");
            there.get(tenant.path("/workspace/members")).await.problem(403, "forbidden");
        }
        // With a write under way at the very instant: it was before the answer, or it is refused.
        admin.put(&path, json!({"role": "admin"})).await.ok();
        let name = format!("In flight {round}");
        let there = member.at(at(&sites, round + 1));
        let (write, demoted) = join(
            there.put(tenant.path("/workspace"), json!({"name": name})).into_future(),
            admin.put(&path, json!({"role": "viewer"})).into_future(),
        )
        .await;
        demoted.ok();
        let now = tenant.workspace().await["name"].clone();
        if write.status == 200 {
            assert_eq!(now, name.as_str());
        } else {
            write.problem(403, "forbidden");
            assert_ne!(now, name.as_str(), "a refused write was made");
        }
        let events = tenant.admin.get(tenant.path("/audit/events?limit=2")).await.ok();
        let latest: Vec<_> =
            events["items"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
        assert_eq!(latest[0], "member.updated", "a write of the demoted came after the demotion: {latest:?}");
        admin.put(&path, json!({"role": "admin"})).await.ok();
    }
    tenant.intact().await;
}

async fn seats_and_their_limit_never_cross(store: Store) {
    let sites = processes(store).await;
    let tenant = sites[0].tenant_with(json!({"seatLimit": 2})).await;
    for round in 0..40 {
        let invite = json!({"email": format!("r{round}.{}@example.org", unique()), "role": "viewer"});
        let (lowered, invited) = join(
            tenant.admin.at(at(&sites, round)).put(tenant.path("/workspace"), json!({"seatLimit": 1})).into_future(),
            tenant.admin.at(at(&sites, round + 1)).post(tenant.path("/workspace/members"), invite).into_future(),
        )
        .await;
        let there = tenant.workspace().await;
        assert!(there["seatsUsed"].as_i64() <= there["seatLimit"].as_i64(), "round {round}: {there}");
        assert_eq!([lowered.status, invited.status].iter().filter(|s| **s == 409).count(), 1, "round {round}");
        if invited.status == 201 {
            let id = invited.json()["id"].as_str().unwrap().to_owned();
            tenant.admin.delete(tenant.path(&format!("/workspace/invitations/{id}"))).await.done();
        }
        tenant.admin.put(tenant.path("/workspace"), json!({"seatLimit": 2})).await.ok();
    }
    tenant.intact().await;
}

async fn many_writers_leave_one_chain_without_gaps(store: Store) {
    let sites = processes(store).await;
    let tenant: Tenant = sites[0].tenant_with(json!({"seatLimit": 1000})).await;
    let before = tenant.events().await.len();
    let mut made = 0;
    for batch in 0..5 {
        let answers = join_all((0..40).map(|n| {
            let by = tenant.admin.at(at(&sites, n));
            match n % 4 {
                0 => by.put(tenant.path("/workspace"), json!({"name": format!("{batch}-{n}")})),
                1 => by.post(
                    tenant.path("/workspace/api-keys"),
                    json!({"name": format!("{batch}-{n}"), "scopes": ["runs:read"]}),
                ),
                2 => by.post("/api/environments", json!({"name": format!("e{batch}-{n}"), "tier": "staging"})),
                _ => by.post(
                    tenant.path("/workspace/members"),
                    json!({"email": format!("e{n}.{}@example.org", unique()), "role": "viewer"}),
                ),
            }
            .into_future()
        }))
        .await;
        made += answers.iter().filter(|a| a.status < 300).count();
        // 50 environments are the most there can be.
        assert!(answers.iter().all(|a| a.status < 300 || a.status == 422 || a.status == 409), "{answers:?}");
    }
    let events = tenant.events().await;
    assert_eq!(events.len() - before, made, "as many events as changes");
    assert!(made >= 180, "{made}");
    let seqs: Vec<_> = events.iter().map(|e| e["seq"].as_i64().unwrap()).collect();
    assert!(seqs.windows(2).all(|w| w[1] == w[0] + 1) && seqs[0] == 1);
    eventually("an intact chain", async || Some(tenant.intact().await)).await;
}

async fn a_write_in_flight_is_before_the_revocation_of_its_key_or_refused(store: Store) {
    let sites = processes(store).await;
    let tenant = sites[0].tenant().await;
    let mut made_it = 0;
    for round in 0..30 {
        let key = tenant.key(&["workspace:write"]).await;
        let path = tenant.path(&format!("/workspace/api-keys/{}", key.id));
        let writes = join_all((0..3).map(|n| {
            let by = key.at(at(&sites, n));
            by.put("/workspace", json!({"name": format!("Round {round}, write {n}")})).into_future()
        }));
        let revoked = async {
            let answer = tenant.admin.at(at(&sites, round)).delete(&path).await;
            if answer.status == 428 {
                let (digest, _) = answer.impact(1);
                tenant.admin.delete(&path).confirming(&digest).await.done();
            } else {
                answer.done();
            }
        };
        let (writes, ()) = join(writes, revoked).await;
        let events = tenant.admin.get(tenant.path("/audit/events?limit=10")).await.ok();
        let mut events = events["items"].as_array().unwrap().clone();
        events.reverse();
        let place = |event: &serde_json::Value| event["seq"].as_i64().unwrap();
        let end = events.iter().find(|e| e["action"] == "api_key.revoked" && e["targetId"] == key.id.as_str()).unwrap();
        let by_key: Vec<_> = events.iter().filter(|e| e["keyId"] == key.id.as_str()).collect();
        assert!(by_key.iter().all(|e| place(e) < place(end)), "round {round}: a write after the end of its key");
        let done = writes.iter().filter(|a| a.status == 200).count();
        assert_eq!(by_key.len(), done, "round {round}: answers and events differ");
        writes.iter().filter(|a| a.status != 200).for_each(|a| {
            a.problem(401, "unauthenticated");
        });
        made_it += done;
    }
    assert!(made_it > 0, "no write was ever in time: nothing was raced");
    tenant.intact().await;
}

/// On SQLite as well: whoever has to wait for the other's lock waits, and is not sent away.
async fn two_processes_share_one_database(store: Store) {
    let first = Site::own(store, &[]).await;
    let sites = [first.clone(), first.through(first.home.serve(&[]))];
    let tenant = first.tenant_with(json!({"seatLimit": 1000})).await;
    let writers = (0..8).map(|writer| {
        let by = tenant.admin.at(at(&sites, writer));
        let tenant = &tenant;
        async move {
            for n in 0..25 {
                let body = json!({"name": format!("w{writer}-{n}"), "scopes": ["runs:read"]});
                by.post(tenant.path("/workspace/api-keys"), body).await.created();
                by.get(tenant.path("/workspace")).await.ok();
            }
        }
    });
    join_all(writers).await;
    assert_eq!(tenant.intact().await, 202);
}
