using System.Text.Json;

namespace Cube.Tests.Systems;

/// <summary>The rules of a streamed response.</summary>
internal sealed partial record ClientResponse
{
    private static readonly Dictionary<string, string> _responseEvents = new()
    {
        ["error"] = "ResponseErrorEvent",
        ["response.created"] = "ResponseCreatedEvent",
        ["response.in_progress"] = "ResponseInProgressEvent",
        ["response.completed"] = "ResponseCompletedEvent",
        ["response.incomplete"] = "ResponseIncompleteEvent",
        ["response.output_item.added"] = "ResponseOutputItemAddedEvent",
        ["response.output_item.done"] = "ResponseOutputItemDoneEvent",
        ["response.content_part.added"] = "ResponseContentPartAddedEvent",
        ["response.content_part.done"] = "ResponseContentPartDoneEvent",
        ["response.output_text.delta"] = "ResponseTextDeltaEvent",
        ["response.output_text.done"] = "ResponseTextDoneEvent",
        ["response.reasoning_text.delta"] = "ResponseReasoningTextDeltaEvent",
        ["response.reasoning_text.done"] = "ResponseReasoningTextDoneEvent",
        ["response.function_call_arguments.delta"] = "ResponseFunctionCallArgumentsDeltaEvent",
        ["response.function_call_arguments.done"] = "ResponseFunctionCallArgumentsDoneEvent",
    };

    /// <summary>The events of a streamed response.</summary>
    public IReadOnlyList<JsonElement> ResponseEvents => [.. Text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(static text =>
    {
        var lines = text.Split('\n');
        var json = JsonElement.Parse(lines[1]["data: ".Length..]);
        Assert.Equal((2, $"event: {json.GetProperty("type").GetString()}"), (lines.Length, lines[0]));
        return json;
    })];

    /// <summary>The concatenated text of a streamed response.</summary>
    public string ResponseText => string.Concat(ResponseEvents.Where(static json => json.GetProperty("type").ValueEquals("response.output_text.delta")).Select(static json => json.GetProperty("delta").GetString()));

    private void CheckResponseStream()
    {
        var events = ResponseEvents;
        Assert.Equal(Enumerable.Range(0, events.Count), events.Select(static json => json.GetProperty("sequence_number").GetInt32()));
        Assert.All(events, static json => OpenAiSchema.Check(_responseEvents[json.GetProperty("type").GetString()!], json));
        Assert.Equal(["response.created", "response.in_progress"], events.Take(2).Select(static json => json.GetProperty("type").GetString()));
        var last = events[^1];
        if (IsBroken)
        {
            Assert.Equal(["message", "type", "param", "code"], last.GetProperty("error").EnumerateObject().Select(static member => member.Name));
            return;
        }

        var response = last.GetProperty("response");
        Assert.Equal(last.GetProperty("type").GetString(), $"response.{response.GetProperty("status").GetString()}");
        Assert.Equal(events[0].GetProperty("response").GetProperty("id").GetString(), response.GetProperty("id").GetString());
        // The streamed items must equal the items of the final response.
        var done = events.Where(static json => json.GetProperty("type").ValueEquals("response.output_item.done")).OrderBy(static json => json.GetProperty("output_index").GetInt32()).Select(static json => json.GetProperty("item"));
        Assert.Equal(done, response.GetProperty("output").EnumerateArray(), JsonElement.DeepEquals);
        foreach (var item in response.GetProperty("output").EnumerateArray())
        {
            var id = item.GetProperty("id").GetString();
            var deltas = string.Concat(events.Where(json => json.TryGetProperty("delta", out _) && json.GetProperty("item_id").ValueEquals(id)).Select(static json => json.GetProperty("delta").GetString()));
            Assert.Equal(item.TryGetProperty("arguments", out var arguments) ? arguments.GetString() : item.GetProperty("content")[0].GetProperty("text").GetString(), deltas);
        }
    }
}
