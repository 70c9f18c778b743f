-- The forms of what is said about a thing, and of watching it. The parts that show
-- it (talk, comments) stand with the thing's page; templates/partials/comments.html
-- is their template.

-- POST /w/{ws}/p/{project}/stories/{story}/comments     form of create_story_comment, then /w/{ws}/p/{project}/stories/{story}#comments
-- message: The comment is added.
-- path:   {story} key(story)
-- page:   show_story

-- POST /w/{ws}/p/{project}/stories/{story}/comments/{comment}     form of update_story_comment, then /w/{ws}/p/{project}/stories/{story}#comments
-- message: The comment is changed.
-- path:   {story} key(story), {comment} uuid
-- page:   show_story

-- POST /w/{ws}/p/{project}/stories/{story}/comments/{comment}/delete     form of delete_story_comment, then /w/{ws}/p/{project}/stories/{story}#comments
-- message: The comment is deleted.
-- path:   {story} key(story), {comment} uuid
-- page:   show_story

-- POST /w/{ws}/p/{project}/stories/{story}/watch     form of watch_story, then /w/{ws}/p/{project}/stories/{story}
-- message: You watch this now. Its changes reach you as notifications.
-- path:   {story} key(story)
-- page:   show_story

-- POST /w/{ws}/p/{project}/stories/{story}/unwatch     form of unwatch_story, then /w/{ws}/p/{project}/stories/{story}
-- message: You have stopped watching this.
-- path:   {story} key(story)
-- page:   show_story

-- POST /w/{ws}/p/{project}/sprints/{sprint}/comments     form of create_sprint_comment, then /w/{ws}/p/{project}/sprints/{sprint}#comments
-- message: The comment is added.
-- path:   {sprint} key
-- page:   show_sprint

-- POST /w/{ws}/p/{project}/sprints/{sprint}/comments/{comment}     form of update_sprint_comment, then /w/{ws}/p/{project}/sprints/{sprint}#comments
-- message: The comment is changed.
-- path:   {sprint} key, {comment} uuid
-- page:   show_sprint

-- POST /w/{ws}/p/{project}/sprints/{sprint}/comments/{comment}/delete     form of delete_sprint_comment, then /w/{ws}/p/{project}/sprints/{sprint}#comments
-- message: The comment is deleted.
-- path:   {sprint} key, {comment} uuid
-- page:   show_sprint

-- POST /w/{ws}/p/{project}/sprints/{sprint}/watch     form of watch_sprint, then /w/{ws}/p/{project}/sprints/{sprint}
-- message: You watch this now. Its changes reach you as notifications.
-- path:   {sprint} key
-- page:   show_sprint

-- POST /w/{ws}/p/{project}/sprints/{sprint}/unwatch     form of unwatch_sprint, then /w/{ws}/p/{project}/sprints/{sprint}
-- message: You have stopped watching this.
-- path:   {sprint} key
-- page:   show_sprint

-- POST /w/{ws}/p/{project}/epics/{epic}/comments     form of create_epic_comment, then /w/{ws}/p/{project}/epics/{epic}#comments
-- message: The comment is added.
-- path:   {epic} key(E)
-- page:   show_epic

-- POST /w/{ws}/p/{project}/epics/{epic}/comments/{comment}     form of update_epic_comment, then /w/{ws}/p/{project}/epics/{epic}#comments
-- message: The comment is changed.
-- path:   {epic} key(E), {comment} uuid
-- page:   show_epic

-- POST /w/{ws}/p/{project}/epics/{epic}/comments/{comment}/delete     form of delete_epic_comment, then /w/{ws}/p/{project}/epics/{epic}#comments
-- message: The comment is deleted.
-- path:   {epic} key(E), {comment} uuid
-- page:   show_epic

-- POST /w/{ws}/p/{project}/epics/{epic}/watch     form of watch_epic, then /w/{ws}/p/{project}/epics/{epic}
-- message: You watch this now. Its changes reach you as notifications.
-- path:   {epic} key(E)
-- page:   show_epic

-- POST /w/{ws}/p/{project}/epics/{epic}/unwatch     form of unwatch_epic, then /w/{ws}/p/{project}/epics/{epic}
-- message: You have stopped watching this.
-- path:   {epic} key(E)
-- page:   show_epic
