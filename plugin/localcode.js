// LocalCode's plugin for OpenCode. It tells the gateway what it would otherwise have to guess (session, parent session,
// agent, kind of request), and keeps the beginning of the prompt the same from one request to the next, so that the
// model does not have to read it again. Everything works without it, too.
//
// `localcode launch opencode` and `localcode init opencode` put it into OpenCode's configuration. Plain JavaScript: there
// is nothing to build. OpenCode takes every export of a plugin for a plugin, so there is only one.

const PROVIDER = "localcode"

/** Bounds memory in a long-running server: the oldest entries go first. */
function remember(map, key, value, most = 2000) {
  map.set(key, value)
  if (map.size > most) map.delete(map.keys().next().value)
  return value
}

/** The name of an agent says what its requests are for; a session with a parent is a subagent's. */
function kindOf(agent, parent) {
  if (agent === "title" || agent === "compaction" || agent === "summary") return agent
  if (parent) return "subagent"
  return agent === "plan" ? "plan" : "main"
}

const DATE = /^[ \t]*Today's date: .*\n?/m

/** The line with the date, which differs from day to day, behind everything that does not. */
function dateLast(text, date) {
  const line = DATE.exec(text)
  if (!line) return text
  const rest = text.slice(0, line.index) + text.slice(line.index + line[0].length)
  return rest.replace(/\s+$/, "") + "\n" + (date ?? line[0].trim())
}

/** What OpenCode added to a user message for this request only: reminders about the mode it is in. */
function reminder(part) {
  return part.type === "text" && part.synthetic === true && part.text.includes("<system-reminder>")
}

export const LocalCode = async ({ client }) => {
  const parents = new Map() // session -> promise of its parent ("": none)
  const dates = new Map() // session -> its line with the date
  const reminders = new Map() // user message -> texts of its reminders, as they were sent first

  function parentOf(sessionID) {
    const known = parents.get(sessionID)
    if (known) return known
    const asked = client.session
      .get({ path: { id: sessionID } })
      .then((answer) => answer?.data?.parentID ?? "")
      .catch(() => {
        parents.delete(sessionID) // asked again with the next request
        return ""
      })
    return remember(parents, sessionID, asked)
  }

  const ours = (input) => input?.model?.providerID === PROVIDER
  const nameOf = (agent) => (typeof agent === "string" ? agent : (agent?.name ?? ""))

  return {
    "chat.headers": async (input, output) => {
      if (!ours(input)) return
      const parent = await parentOf(input.sessionID)
      output.headers["x-session-id"] = input.sessionID
      output.headers["x-localcode-agent"] = nameOf(input.agent)
      if (parent) output.headers["x-parent-session-id"] = parent
    },

    "chat.params": async (input, output) => {
      if (!ours(input)) return
      const kind = kindOf(nameOf(input.agent), await parentOf(input.sessionID))
      // Becomes the member "localcode" of the request's body, which the gateway takes out.
      output.options.localcode = { ...output.options.localcode, session: input.sessionID, kind }
    },

    // A session keeps the day it began on: midnight is no reason to read everything again.
    "experimental.chat.system.transform": async (input, output) => {
      if (!ours(input) || !input.sessionID) return
      for (let i = 0; i < output.system.length; i++) {
        const line = DATE.exec(output.system[i])
        if (!line) continue
        const date = dates.get(input.sessionID) ?? remember(dates, input.sessionID, line[0].trim())
        output.system[i] = dateLast(output.system[i], date)
      }
    },

    // OpenCode hangs reminders on the newest user message only, so with the next one they vanish from the message
    // before: everything from there on would have to be read again. What was sent once stays where it was.
    "experimental.chat.messages.transform": async (_input, output) => {
      const users = output.messages.filter((message) => message.info?.role === "user")
      if (users.at(-1)?.info.model?.providerID !== PROVIDER) return
      for (const message of users) {
        const there = message.parts.filter(reminder).map((part) => part.text)
        const sent = reminders.get(message.info.id)
        if (!sent) {
          if (there.length > 0) remember(reminders, message.info.id, there)
          continue
        }
        // Another mode's reminder on the same message comes behind those that were sent.
        const all = [...sent, ...there.filter((text) => !sent.includes(text))]
        const parts = message.parts.filter((part) => !reminder(part))
        for (const [i, text] of all.entries()) {
          parts.push({
            id: `prt_localcode_${message.info.id}_${i}`,
            messageID: message.info.id,
            sessionID: message.info.sessionID,
            type: "text",
            text,
            synthetic: true,
          })
        }
        message.parts.splice(0, message.parts.length, ...parts)
        remember(reminders, message.info.id, all)
      }
    },
  }
}
