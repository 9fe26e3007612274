using System.Text;
using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary>The assertions for the cases of <c>interop.jsonl</c>, by id.</summary>
internal static class InteropExpectations
{
    private const string Oslo = """get_time {"zone":"Oslo"}""";
    private const string Lima = """get_time {"zone":"Lima"}""";

    private static readonly Dictionary<string, Action<ClientResponse, IReadOnlyList<Received>>> _byId = new()
    {
        ["T01"] = static (answer, _) => Calls(answer, Oslo, Lima),
        ["T03"] = static (answer, _) => Calls(answer, Oslo, Lima),
        ["T05"] = static (answer, _) => Calls(answer, Oslo),
        ["T06"] = static (answer, _) => OrError(answer, static answer => Calls(answer, Oslo)),
        ["T11"] = static (answer, _) => Calls(answer, Oslo),
        ["T12"] = static (answer, _) => ResponseCalls(answer, Oslo, Lima),
        ["T13"] = static (answer, _) => Calls(answer, "get_time {}"),
        ["T16"] = static (answer, _) => OrError(answer, static answer =>
        {
            Assert.Equal(200, answer.Status);
            Assert.DoesNotContain("tool_calls", answer.Text, StringComparison.Ordinal);
        }),
        ["T20"] = static (answer, received) => HistoryParses(answer, received),
        ["S02"] = static (answer, _) =>
        {
            Stream(answer, "a\U0001F600!");
            var entries = Choices(answer).SelectMany(static choice => Items(choice, "logprobs", "content")).ToList();
            Assert.Equal(4, entries.Count);
            Assert.Equal("a\U0001F600!", Encoding.UTF8.GetString([.. entries.SelectMany(static entry => entry.GetProperty("bytes").EnumerateArray()).Select(static value => value.GetByte())]));
        },
        ["S05"] = static (answer, _) =>
        {
            Stream(answer, "hey");
            Assert.Equal(["stop"], Choices(answer).Select(static choice => choice.GetProperty("finish_reason").GetString()).Where(static reason => reason is not null));
        },
        ["S08"] = static (answer, _) =>
        {
            Stream(answer, "hey");
            Assert.Equal(0, answer.Events[^1].GetProperty("choices").GetArrayLength());
            Usage(answer.Events[^1], 7, 5);
        },
        ["S23"] = static (answer, _) =>
        {
            Stream(answer, "ab");
            Assert.Equal(["a", "\\xf0", "b"], Choices(answer).SelectMany(static choice => Items(choice, "logprobs", "tokens")).Select(static token => token.GetString()));
        },
        ["E01"] = static (answer, _) => Assert.Equal((400, "context_length_exceeded", "messages"), (answer.Status, answer.Code, answer.Param)),
        ["E03"] = static (answer, _) => Assert.Equal((400, "max_completion_tokens"), (answer.Status, answer.Param)),
        ["E09"] = static (answer, _) =>
        {
            Assert.Equal(200, answer.Status);
            var bytes = answer.Json.GetProperty("data")[0].GetProperty("embedding").GetBytesFromBase64();
            float[] expected = [0.5f, -1.25f, 3f];
            Assert.Equal(expected.SelectMany(BitConverter.GetBytes), bytes);
        },
        ["E12"] = static (answer, _) => Assert.True(answer.Status == 200 || (answer.Status, answer.Param) == (400, "top_p")),
        ["E13"] = static (answer, _) =>
        {
            Assert.Equal(400, answer.Status);
            Assert.True(answer.Param is null or "model" || answer.Param.StartsWith("messages", StringComparison.Ordinal), answer.Param);
        },
        ["E15"] = static (answer, _) =>
        {
            Assert.Equal(200, answer.Status);
            Usage(answer.Json, 7, 2);
        },
        ["R04"] = static (answer, received) => HistoryParses(answer, received),
        ["R12"] = static (answer, _) => Preflight(answer),
        ["R13"] = static (answer, _) => Assert.Equal((200, ""), (answer.Status, answer.Text)),
        ["R19"] = static (answer, received) =>
        {
            Answered(answer);
            Assert.Contains("iVBORw0KGgo", Assert.Single(received).Body, StringComparison.Ordinal);
        },
        ["R26"] = static (answer, _) => Answered(answer),
        ["R33"] = static (answer, received) =>
        {
            Assert.Equal(200, answer.Status);
            var prompt = JsonElement.Parse(Assert.Single(received).Body).GetProperty("prompt");
            Assert.Contains(prompt.GetRawText().Replace(" ", "", StringComparison.Ordinal), (string[])["[1,2,3]", "[[1,2,3]]"]);
        },
        ["R43"] = static (answer, received) =>
        {
            Answered(answer);
            Assert.Equal("max", JsonElement.Parse(Assert.Single(received).Body).GetProperty("reasoning_effort").GetString());
        },
        ["A01"] = static (answer, received) =>
        {
            Assert.Equal((200, "hello"), (answer.Status, answer.Json.GetProperty("text").GetString()));
            Assert.Contains("WAVEfmt", Assert.Single(received).Body, StringComparison.Ordinal);
        },
        ["O02"] = static (answer, _) => Assert.Equal(200, answer.Status),
        ["O06"] = static (answer, _) => OkOrParam(answer, "messages"),
        ["O07"] = static (answer, _) => Assert.Equal(200, answer.Status),
        ["O20"] = static (answer, _) => OkOrParam(answer, "tools"),
    };

    /// <param name="id">The id of the case; an unknown id fails the test.</param>
    /// <param name="answer">The response for the client.</param>
    /// <param name="received">The requests that reached the fake model server.</param>
    public static void Check(string id, ClientResponse answer, IReadOnlyList<Received> received)
    {
        Assert.True(_byId.TryGetValue(id, out var check), $"InteropExpectations has no assertion for {id}.");
        check!(answer, received);
    }

    private static void OrError(ClientResponse answer, Action<ClientResponse> check)
    {
        // ClientResponse.Check has tested that a broken stream ends with an error event.
        if (answer.Status < 400 && !answer.IsBroken)
        {
            check(answer);
        }
    }

    private static void OkOrParam(ClientResponse answer, string param) =>
        Assert.True(answer.Status == 200 || (answer.Status == 400 && answer.Param?.StartsWith(param, StringComparison.Ordinal) == true));

    private static void Answered(ClientResponse answer) =>
        Assert.Equal((200, "ok"), (answer.Status, answer.Status == 200 ? answer.Json.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString() : answer.Code));

    private static void Stream(ClientResponse answer, string content)
    {
        Assert.Equal((200, true, false), (answer.Status, answer.IsStream, answer.IsBroken));
        Assert.EndsWith("data: [DONE]\n\n", answer.Text, StringComparison.Ordinal);
        Assert.Equal(content, answer.Content);
    }

    private static void Usage(JsonElement json, int prompt, int completion)
    {
        var usage = json.GetProperty("usage");
        Assert.Equal(
            (prompt, completion, prompt + completion),
            (usage.GetProperty("prompt_tokens").GetInt32(), usage.GetProperty("completion_tokens").GetInt32(), usage.GetProperty("total_tokens").GetInt32()));
    }

    /// <summary>The calls of a streamed chat as an SDK rebuilds them, by index.</summary>
    private static void Calls(ClientResponse answer, params string[] expected)
    {
        Stream(answer, "");
        List<(string? Id, string? Name, StringBuilder Arguments)> calls = [];
        foreach (var part in Choices(answer).SelectMany(static choice => Items(choice, "delta", "tool_calls")))
        {
            var index = part.GetProperty("index").GetInt32();
            Assert.InRange(index, 0, calls.Count);
            var function = part.GetProperty("function");
            if (index == calls.Count)
            {
                Assert.Equal("function", part.GetProperty("type").GetString());
                calls.Add((part.GetProperty("id").GetString(), function.GetProperty("name").GetString(), new StringBuilder()));
            }
            else
            {
                Assert.False(function.TryGetProperty("name", out _), "a name must be sent once");
                Assert.True(!part.TryGetProperty("id", out var id) || id.ValueEquals(calls[index].Id), "a call must keep its id");
            }

            calls[index].Arguments.Append(function.TryGetProperty("arguments", out var arguments) ? arguments.GetString() : "");
        }

        Same(expected, [.. calls.Select(static call => (call.Id, call.Name, (string?)call.Arguments.ToString()))]);
        Assert.Equal("tool_calls", Choices(answer).Last().GetProperty("finish_reason").GetString());
    }

    private static void ResponseCalls(ClientResponse answer, params string[] expected)
    {
        Assert.Equal((200, false), (answer.Status, answer.IsBroken));
        var items = answer.ResponseEvents[^1].GetProperty("response").GetProperty("output").EnumerateArray().Where(static item => item.GetProperty("type").ValueEquals("function_call"));
        Same(expected, [.. items.Select(static item => (item.GetProperty("call_id").GetString(), item.GetProperty("name").GetString(), item.GetProperty("arguments").GetString()))]);
    }

    private static void Same(string[] expected, IReadOnlyList<(string? Id, string? Name, string? Arguments)> calls)
    {
        Assert.All(calls, static call => Assert.Equal(JsonValueKind.Object, JsonElement.Parse(call.Arguments!).ValueKind));
        Assert.Equal(expected, calls.Select(static call => $"{call.Name} {call.Arguments}"));
        Assert.DoesNotContain(calls, static call => string.IsNullOrEmpty(call.Id));
        Assert.Equal(calls.Count, calls.Select(static call => call.Id).Distinct().Count());
    }

    /// <summary>The arguments of the call in the history that reaches the model server are JSON.</summary>
    private static void HistoryParses(ClientResponse answer, IReadOnlyList<Received> received)
    {
        Assert.Equal(200, answer.Status);
        var messages = JsonElement.Parse(Assert.Single(received).Body).GetProperty("messages").EnumerateArray();
        var call = Assert.Single(messages, static message => message.TryGetProperty("tool_calls", out _)).GetProperty("tool_calls")[0];
        Assert.Equal(JsonValueKind.Object, JsonElement.Parse(call.GetProperty("function").GetProperty("arguments").GetString()!).ValueKind);
    }

    /// <summary>The origin is allowed. A client cannot see whether operators can change a refusal, so a refusal fails.</summary>
    private static void Preflight(ClientResponse answer)
    {
        Assert.InRange(answer.Status, 200, 299);
        Assert.Contains(Header("Access-Control-Allow-Origin"), (string[])["*", "http://localhost:5173"]);
        Assert.Matches(@"\*|POST", Header("Access-Control-Allow-Methods"));
        // A wildcard does not include Authorization (Fetch standard).
        Assert.Contains("authorization", Header("Access-Control-Allow-Headers"), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("content-type", Header("Access-Control-Allow-Headers"), StringComparison.OrdinalIgnoreCase);

        string Header(string name) => answer.Headers.TryGetValues(name, out var values) ? string.Join(',', values) : "";
    }

    private static IEnumerable<JsonElement> Choices(ClientResponse answer) => answer.Events.SelectMany(static json => json.GetProperty("choices").EnumerateArray());

    /// <summary>The elements of an array two levels below; empty if it does not exist.</summary>
    private static JsonElement.ArrayEnumerator Items(JsonElement json, string member, string array) =>
        json.TryGetProperty(member, out var owner) && owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(array, out var items) && items.ValueKind == JsonValueKind.Array
            ? items.EnumerateArray()
            : default;
}
