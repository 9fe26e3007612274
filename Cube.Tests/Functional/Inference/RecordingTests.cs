using System.Text;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary>Every recorded exchange through the running system, with different splits of the response into reads.</summary>
[Collection(ReplayCollectionDefinition.Name)]
public sealed class RecordingTests(ReplaySystem system)
{
    private static readonly Split[] _splits = TestLevel.Pick([Split.Random], Enum.GetValues<Split>());

    public static TheoryData<string> Recordings => [.. Recording.All.Where(static recording =>
        recording is { Method: "POST", Body: not null, Path: "/v1/chat/completions" or "/v1/completions" or "/v1/embeddings" }).Select(static recording => recording.Id)];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Recordings))]
    public async Task A_recorded_response_conforms_to_the_OpenAI_API_for_every_split(string id)
    {
        var recording = Recording.Find(id);
        var (cube, server, tenant) = system[recording.Kind];
        string? stableText = null;
        foreach (var split in _splits)
        {
            server.Play(recording, split);
            // A stalled response waits for the timeout of two seconds, so only one split is tested.
            if (stableText is not null && !recording.IsClosed)
            {
                break;
            }

            var answer = await ClientResponse.AskAsync(cube, tenant, recording.Path["/v1/".Length..], recording.Body!);
            // The received part of an aborted stream depends on timing.
            Assert.True(stableText is null || answer.IsBroken || stableText == answer.StableText, $"{split}: {answer.Text}\n\nwas\n\n{stableText}");
            stableText = answer.StableText;
        }
    }

    /// <summary>The same chats with <c>/v1/responses</c>.</summary>
    public static TheoryData<string> Chats => [.. Recording.All.Where(static recording =>
        recording is { Method: "POST", Body: not null, Path: "/v1/chat/completions", Status: 200 } && recording.Choices == 1).Select(static recording => recording.Id)];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Chats))]
    public async Task A_recorded_chat_conforms_to_the_responses_API(string id)
    {
        var recording = Recording.Find(id);
        var (cube, server, tenant) = system[recording.Kind];
        var stream = recording.Answer.Contains("text/event-stream", StringComparison.Ordinal);
        server.Play(recording);
        var answer = await ClientResponse.AskAsync(cube, tenant, "responses", $$"""{"model":"{{recording.Model ?? "m"}}","input":"hi","stream":{{(stream ? "true" : "false")}}}""");
        Assert.True(answer.Status is 200 or 502 or 504, answer.Text);
    }

    /// <summary>Recorded requests to other endpoints.</summary>
    public static TheoryData<string> Others => [.. Recording.All.Where(static recording =>
        recording is { Body: not null } && recording.Path is not ("/v1/chat/completions" or "/v1/completions" or "/v1/embeddings")).Select(static recording => recording.Id)];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Others))]
    public async Task Every_other_recorded_request_is_answered_or_rejected_as_documented(string id)
    {
        var recording = Recording.Find(id);
        var (cube, server, tenant) = system[recording.Kind];
        server.Play(recording);
        // AskAsync checks the response or the error. A manipulated path is one of the errors.
        using var request = new HttpRequestMessage(new HttpMethod(recording.Method), $"/proxy/{tenant.Domain}/{recording.Path.TrimStart('/')}") { Content = new StringContent(recording.Body!) };
        request.Content.Headers.Remove("Content-Type");
        request.Content.Headers.TryAddWithoutValidation("Content-Type", recording.Path.Contains("/audio/", StringComparison.Ordinal) ? "multipart/form-data; boundary=x" : "application/json");
        request.Headers.Authorization = new("Bearer", tenant.Token);
        using var response = await cube.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var received = new MemoryStream();
        try
        {
            await response.Content.CopyToAsync(received);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            // A failed Ollama stream is aborted after an error line.
            Assert.Contains("""{"error":"The model server returned no valid response."}""", Encoding.UTF8.GetString(received.ToArray()), StringComparison.Ordinal);
        }

        var text = Encoding.UTF8.GetString(received.ToArray());
        Assert.True(response.IsSuccessStatusCode || text.StartsWith("{\"error\":{\"message\":", StringComparison.Ordinal), $"{(int)response.StatusCode} {text}");
        Assert.DoesNotContain("/var/lib", text, StringComparison.Ordinal);
    }
}
