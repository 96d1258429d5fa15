//! Hashes are renewed at a sign-in, and cost as much for a name that nobody has.

use super::*;
use chancery::model::Noted;

on_both! {
    async fn a_sign_in_renews_a_hash_made_at_another_cost_and_ends_nothing(kind: Kind) {
        let server = begin(kind).await;
        let mut home = at(&server, "192.0.2.1");
        assert_eq!(try_in(&mut home, "ada", PASSWORD).await.status, 303);
        let known = home.cookies[KNOWN].clone();
        let dearer = server.replica_with(&[("PASSWORDS__MEMORY_KIB", "8192")]).await;
        const RENEWED: &str = "SELECT COUNT(*) FROM users WHERE password_hash LIKE '%m=8192,%'";
        assert_eq!(status(&dearer, "192.0.2.1", "ada", "wrong").await, 422);
        assert_eq!(server.number(RENEWED).await, 0);
        assert_eq!(status(&dearer, "192.0.2.1", "ada", PASSWORD).await, 303);
        for _ in 0..200 {
            if server.number(RENEWED).await == 1 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(server.number(RENEWED).await, 1);
        assert_eq!(home.signed_in_as().await.as_deref(), Some("ada"));
        assert_eq!(server.number("SELECT COUNT(*) FROM users WHERE updated_at <> created_at").await, 0);
        // The browser is known as before, and the password the same.
        assert_eq!(try_in(&mut home, "ada", PASSWORD).await.status, 303);
        assert_eq!(home.cookies[KNOWN], known);
        assert_eq!(status(&server, "192.0.2.1", "bob", PASSWORD).await, 303);
    }

    async fn a_hash_that_was_replaced_meanwhile_is_not_renewed(kind: Kind) {
        let server = begin(kind).await;
        let storage = &server.app.storage;
        let found = storage.credentials("ada").await.unwrap().unwrap();
        let (user, old) = (found.user.id, found.password_hash.unwrap());
        storage.set_password(Noted::nothing(), &user, "a new one", server.app.now()).await.unwrap();
        assert!(!storage.replace_hash(&user, &old, "the old one renewed").await.unwrap());
        assert!(storage.replace_hash(&user, "a new one", "that one renewed").await.unwrap());
        let now = storage.credentials("ada").await.unwrap().unwrap().password_hash;
        assert_eq!(now.as_deref(), Some("that one renewed"));
    }

    async fn a_name_that_nobody_has_costs_what_stored_hashes_cost(kind: Kind) {
        let server = begin(kind).await;
        let dearer = server.replica_with(&[("PASSWORDS__MEMORY_KIB", "229376")]).await;
        let mut times = [Vec::new(), Vec::new()];
        for number in 0..7 {
            for (times, name) in times.iter_mut().zip(["ada".to_owned(), format!("nobody{number}")]) {
                let mut browser = at(&dearer, "192.0.2.1");
                let csrf = hidden(&browser.get("/login").await, "csrf");
                let form = [("csrf", csrf.as_str()), ("username", &name), ("password", "wrong")];
                let began = std::time::Instant::now();
                assert_eq!(browser.post("/login", &form).await.status, 422);
                times.push(began.elapsed());
            }
        }
        let [known, unknown] = times.map(|mut times| {
            times.sort();
            times[3]
        });
        // Hashes at the cost of that process would take thirty times as long.
        assert!(unknown < known * 5 && known < unknown * 5, "{known:?} {unknown:?}");
    }
}
