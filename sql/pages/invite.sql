-- GET /invite                                                      show_invite
-- What a link that came by mail leads to.
-- role:    public
-- query:   token text(1..500)
-- page:    invite
-- handler: invitation_show

-- POST /invite     form of accept_invitation, then {next}
-- message: You are in.
-- page:    show_invite

-- POST /invite/register     form of register_invited, then {next}
-- message: You are in. Next time, sign in with this address and password.
-- page:    show_invite
