-- Sends the requests of a list, round and round: wrk … -- LIST THREADS [BODY]
-- A line of LIST is a method and a path. Each thread takes its own share of the lines.
-- At the end one line of JSON says what was answered, how fast, and what went wrong.

local threads_made, sent, at, body = 0, {}, 0, nil

function setup(thread)
   thread:set("number", threads_made)
   threads_made = threads_made + 1
end

function init(args)
   local share, line_number = tonumber(args[2]), 0
   if args[3] then
      local file = assert(io.open(args[3], "rb"))
      body = file:read("*a")
      file:close()
   end
   for line in io.lines(args[1]) do
      if line_number % share == number then
         local method, path = line:match("^(%S+) (.+)$")
         -- What has no body is made once; bodies would fill the memory.
         sent[#sent + 1] = body and { method, path } or wrk.format(method, path)
      end
      line_number = line_number + 1
   end
end

function request()
   at = at % #sent + 1
   local one = sent[at]
   return body and wrk.format(one[1], one[2], nil, body) or one
end

function done(summary, latency)
   local wrong = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "bytes": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, ' ..
      '"refused": %d, "broken": %d, "late": %d}\n',
      summary.requests, summary.bytes, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      wrong.status, wrong.connect + wrong.read + wrong.write, wrong.timeout))
end
