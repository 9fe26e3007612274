using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cube.Tests.Systems;

/// <summary>The complete response to one request, and the rules for it.</summary>
/// <param name="IsBroken">The connection was aborted within the body.</param>
internal sealed partial record ClientResponse(int Status, string? Type, HttpResponseHeaders Headers, string Text, bool IsBroken)
{
    public bool IsStream => Type == "text/event-stream";

    public string? Code => Status >= 400 ? JsonElement.Parse(Text).GetProperty("error").GetProperty("code").GetString() : null;

    public string? Param => Status >= 400 ? JsonElement.Parse(Text).GetProperty("error").GetProperty("param").GetString() : null;

    public JsonElement Json => JsonElement.Parse(Text);

    /// <summary>The events of a stream without the last one, <c>[DONE]</c>.</summary>
    public IReadOnlyList<JsonElement> Events => [.. Text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(static text => text != "data: [DONE]").Select(static text => JsonElement.Parse(text["data: ".Length..]))];

    /// <summary>The concatenated text of the first choice of a stream.</summary>
    public string Content => string.Concat(Events.SelectMany(static json => json.GetProperty("choices").EnumerateArray())
        .Where(static choice => choice.GetProperty("index").GetInt32() == 0)
        .Select(static choice => choice.TryGetProperty("delta", out var delta) ? delta.TryGetProperty("content", out var content) ? content.GetString() : "" : choice.GetProperty("text").GetString()));

    /// <summary>The text without ids and times, which differ between responses.</summary>
    public string StableText => Ids().Replace(Text, "");

    public static async Task<ClientResponse> AskAsync(CubeSystem cube, Tenant tenant, string path, string body, string type = "application/json", HttpClient? http = null)
    {
        var url = path.StartsWith('/') ? $"/proxy/{tenant.Domain}{path}" : $"{tenant.Api}/{path}";
        var client = http ?? cube.Http;
        using var request = new HttpRequestMessage(HttpMethod.Post, url)
        {
            Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)),
            Version = client.DefaultRequestVersion,
            VersionPolicy = client.DefaultVersionPolicy,
        };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", tenant.Token);
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var answer = await ReadAsync(response);
        Assert.True(response.Headers.Contains("x-request-id"));
        answer.Check(path, body);
        return answer;
    }

    /// <summary>Reads the whole response, or the part before the connection was aborted.</summary>
    public static async Task<ClientResponse> ReadAsync(HttpResponseMessage response)
    {
        using var received = new MemoryStream();
        var isBroken = false;
        try
        {
            await response.Content.CopyToAsync(received);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            isBroken = true;
        }

        return new ClientResponse(
            (int)response.StatusCode, response.Content.Headers.ContentType?.MediaType, response.Headers, new UTF8Encoding(false, true).GetString(received.ToArray()), isBroken);
    }

    /// <summary>Checks the response against the OpenAI schemas, the stream format or the error format.</summary>
    public void Check(string path, string body)
    {
        if (Status >= 400)
        {
            OpenAiSchema.Check("ErrorResponse", Json);
            Assert.Equal(["message", "type", "param", "code"], Json.GetProperty("error").EnumerateObject().Select(static member => member.Name));
            Assert.False(Text.Contains("ollama", StringComparison.OrdinalIgnoreCase) || Text.Contains("vllm", StringComparison.OrdinalIgnoreCase), Text);
            Assert.False(IsBroken);
            return;
        }

        Assert.Equal(200, Status);
        if (Type == "application/x-ndjson" || path.StartsWith("audio/", StringComparison.Ordinal))
        {
            return;
        }

        if (!IsStream)
        {
            Assert.False(IsBroken);
            // The OpenAPI description does not contain base64 embeddings, which the OpenAI SDKs request.
            if (path is "chat/completions" or "completions" or "embeddings" or "responses" && !(path == "embeddings" && body.Contains("base64", StringComparison.Ordinal)))
            {
                OpenAiSchema.Check(path switch { "chat/completions" => "CreateChatCompletionResponse", "completions" => "CreateCompletionResponse", "responses" => "Response", _ => "CreateEmbeddingResponse" }, Json);
            }

            if (Json.TryGetProperty("usage", out var usage) && usage.TryGetProperty("completion_tokens", out var completion))
            {
                Assert.Equal(usage.GetProperty("total_tokens").GetInt64(), usage.GetProperty("prompt_tokens").GetInt64() + completion.GetInt64());
            }

            return;
        }

        if (path == "responses")
        {
            CheckResponseStream();
        }
        else
        {
            CheckStream(path, JsonElement.Parse(body));
        }
    }

    private void CheckStream(string path, JsonElement request)
    {
        var wantsUsage = request.TryGetProperty("stream_options", out var options) && options.TryGetProperty("include_usage", out var include) && include.ValueKind == JsonValueKind.True;
        var choices = request.TryGetProperty("n", out var n) && n.ValueKind == JsonValueKind.Number ? n.GetInt32() : 1;
        Assert.Equal(IsBroken, !Text.EndsWith("data: [DONE]\n\n", StringComparison.Ordinal));
        Assert.Equal(IsBroken ? 0 : 1, Text.Split("[DONE]").Length - 1);
        var events = Events.ToList();
        if (IsBroken)
        {
            var error = events[^1];
            OpenAiSchema.Check("ErrorResponse", error);
            events.RemoveAt(events.Count - 1);
        }

        Assert.Single(events.Select(static json => (json.GetProperty("id").GetString(), json.GetProperty("model").GetString(), json.GetProperty("created").GetInt64())).Distinct());
        Assert.True(events[0].GetProperty("id").GetString()!.Length >= 20);
        var (begun, ended) = (new HashSet<int>(), new HashSet<int>());
        foreach (var json in events)
        {
            Assert.False(json.TryGetProperty("error", out _));
            Assert.Equal(wantsUsage, json.TryGetProperty("usage", out var usage));
            if (path == "chat/completions")
            {
                OpenAiSchema.Check("CreateChatCompletionStreamResponse", json);
            }

            if (json.GetProperty("choices").GetArrayLength() == 0)
            {
                Assert.Equal(JsonValueKind.Object, usage.ValueKind);
                Assert.Equal(json, events[^1], JsonElement.DeepEquals);
                continue;
            }

            Assert.True(!wantsUsage || usage.ValueKind == JsonValueKind.Null);
            foreach (var choice in json.GetProperty("choices").EnumerateArray())
            {
                var index = choice.GetProperty("index").GetInt32();
                Assert.DoesNotContain(index, ended);
                var finish = choice.GetProperty("finish_reason");
                if (choice.TryGetProperty("delta", out var delta))
                {
                    Assert.Equal(begun.Add(index), delta.TryGetProperty("role", out _));
                    Assert.True(finish.ValueKind == JsonValueKind.Null || !delta.EnumerateObject().Any(), "the last delta of a choice must be empty");
                }

                if (finish.ValueKind != JsonValueKind.Null)
                {
                    Assert.Contains(finish.GetString(), (string[])["stop", "length", "tool_calls", "content_filter"]);
                    ended.Add(index);
                }
            }
        }

        Assert.True(IsBroken || ended.Count == choices, "every choice must have a finish reason");
    }

    [GeneratedRegex("\"(id|item_id|created|created_at|completed_at)\":(\"[^\"]*\"|[0-9]+)")]
    private static partial Regex Ids();
}
