-- GET /                                                           show_workspaces
-- The workspaces of whoever is signed in.
-- role:   user
-- page:   workspaces
-- use:    list_workspaces as workspaces
-- query:  all bool
-- part: only list
-- Who has one workspace is sent there, unless they want to see all of it.
SELECT '/w/' || min(w.slug) AS "!redirect" FROM gnomon.my_workspaces() w HAVING count(*) = 1 {all: AND NOT :all}

-- GET /login                                                      show_login
-- Sign-in.
-- role:   public
-- query:  next text(1..500)
-- page:   login

-- POST /login     form of login, then {next}
-- page:   show_login

-- POST /logout     form of logout, then /login
-- message: You are signed out.
