//! Wrong user codes of devices.

use super::*;

on_both! {
    async fn wrong_user_codes_of_one_user_do_not_lock_out_others_of_the_address(kind: Kind) {
        let (server, client) = with_device(kind).await;
        let right = text(&start(&server, &client).await, "user_code");
        let (mut ada, mut bob) = (at(&server, "192.0.2.1"), at(&server, "192.0.2.1"));
        try_in(&mut ada, "ada", PASSWORD).await;
        try_in(&mut bob, "bob", PASSWORD).await;
        for _ in 0..10 {
            assert_eq!(type_code(&mut ada, "BBBB-BBBB").await, 422);
        }
        assert_eq!(type_code(&mut ada, &right).await, 429);
        assert_eq!(type_code(&mut bob, &right).await, 200);
        // In a session of her own she goes on, when another one was stolen; and comes to the limit of all of them.
        let mut more = at(&server, "192.0.2.1");
        try_in(&mut more, "ada", PASSWORD).await;
        assert_eq!(type_code(&mut more, &right).await, 200);
        for _ in 0..10 {
            assert_eq!(type_code(&mut more, "BBBB-BBBB").await, 422);
        }
        let mut third = at(&server, "192.0.2.1");
        try_in(&mut third, "ada", PASSWORD).await;
        assert_eq!(type_code(&mut third, &right).await, 429);
        server.advance(45);
        assert_eq!(type_code(&mut third, &right).await, 200);
    }

    async fn an_address_types_two_hundred_wrong_user_codes_at_most(kind: Kind) {
        let (server, client) = with_device(kind).await;
        let right = text(&start(&server, &client).await, "user_code");
        for number in 0..20 {
            let name = format!("user{number}");
            server.user(&name).await;
            let mut browser = at(&server, "192.0.2.1");
            try_in(&mut browser, &name, PASSWORD).await;
            for _ in 0..10 {
                assert_eq!(type_code(&mut browser, "BBBB-BBBB").await, 422);
            }
        }
        let (mut here, mut there) = (at(&server, "192.0.2.1"), at(&server, "192.0.2.2"));
        try_in(&mut here, "bob", PASSWORD).await;
        try_in(&mut there, "bob", PASSWORD).await;
        assert_eq!(type_code(&mut here, &right).await, 429);
        assert_eq!(type_code(&mut there, &right).await, 200);
    }

    async fn three_hundred_wrong_user_codes_at_once_are_looked_up_ten_times(kind: Kind) {
        let (server, _) = with_device(kind).await;
        let mut ada = at(&server, "192.0.2.1");
        try_in(&mut ada, "ada", PASSWORD).await;
        let csrf = hidden(&ada.get("/device").await, "csrf");
        let cookies: Vec<_> = ada.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = Arc::new(cookies.join("; "));
        let replica = Arc::new(server.replica().await);
        let tasks: Vec<_> = (0..300).map(|number: usize| {
            let server = Arc::clone(if number.is_multiple_of(2) { &server } else { &replica });
            let (cookies, csrf) = (Arc::clone(&cookies), csrf.clone());
            tokio::spawn(async move {
                let form = [("csrf", csrf.as_str()), ("user_code", "BBBB-BBBB")];
                server.post("/device", &[("cookie", cookies.as_str())], &form).await.status.as_u16()
            })
        }).collect();
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap());
        }
        assert_eq!(checked(&statuses), 10);
    }

    async fn a_stranger_who_is_not_signed_in_looks_up_no_user_code(kind: Kind) {
        let (server, client) = with_device(kind).await;
        let right = text(&start(&server, &client).await, "user_code");
        let mut stranger = at(&server, "192.0.2.1");
        stranger.get("/login").await;
        for path in ["/device", "/device/confirm"] {
            for code in [right.as_str(), "BBBB-BBBB"] {
                let form = [("csrf", "x"), ("user_code", code), ("decision", "allow")];
                let (statements, answer) = server.statements(stranger.post(path, &form)).await;
                assert_eq!((answer.status.as_u16(), statements), (303, 0));
                assert!(answer.location().contains("/login"), "{answer:?}");
            }
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM tries").await, 0);
    }
}
