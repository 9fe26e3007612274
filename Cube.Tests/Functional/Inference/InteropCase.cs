using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Cube.Tests.Systems;
using Microsoft.AspNetCore.Http;

namespace Cube.Tests.Functional.Inference;

/// <summary>One line of <c>interop.jsonl</c>: a request, the response of the model server, and the expected result in prose.</summary>
internal sealed record InteropCase(string Id, string What, string Kind, string Expect, JsonElement Request, JsonElement Backend)
{
    public string Path => Request.GetProperty("path").GetString()!;

    public HttpMethod Method => new(Request.GetProperty("method").GetString()!);

    private JsonElement? Body => Find(Request, "body");

    private string? Raw => Find(Request, "raw")?.GetString();

    /// <summary>The cases of the file; skips the test where the file's folder is absent.</summary>
    public static IReadOnlyList<InteropCase> ReadAll()
    {
        var file = System.IO.Path.Combine(TestFiles.FolderOrSkip("CUBE_TEST_CASES", "cases"), "interop.jsonl");
        return [.. File.ReadLines(file).Where(static line => line.Length > 0).Select(static line => JsonElement.Parse(line)).Select(static json => new InteropCase(
            json.GetProperty("id").GetString()!, json.GetProperty("what").GetString()!, json.GetProperty("kind").GetString()!,
            json.GetProperty("expect").GetString()!, json.GetProperty("request"), json.GetProperty("backend")))];
    }

    /// <summary>Sends the response of the fake model server.</summary>
    public async Task PlayAsync(HttpContext context)
    {
        if (Backend.ValueKind != JsonValueKind.Object)
        {
            await FakeBackend.JsonAsync(context, 200, FakeBackend.Chat);
            return;
        }

        context.Response.StatusCode = Backend.GetProperty("status").GetInt32();
        context.Response.ContentType = Find(Backend, "type")?.GetString();
        var gap = TimeSpan.FromMilliseconds(Find(Backend, "gap_ms")?.GetDouble() ?? 0);
        await context.Response.StartAsync();
        foreach (var piece in Backend.GetProperty("pieces").EnumerateArray())
        {
            await context.Response.Body.WriteAsync(piece.GetBytesFromBase64());
            await context.Response.Body.FlushAsync();
            await Task.Delay(gap);
        }

        if (Find(Backend, "end")?.GetString() is not (null or "clean"))
        {
            context.Abort();
        }
    }

    public async Task<ClientResponse> AskAsync(HttpClient proxy, Tenant tenant)
    {
        using var request = new HttpRequestMessage(Method, $"/proxy/{tenant.Domain}{Path}") { Content = Content() };
        if (Find(Request, "auth")?.ValueKind != JsonValueKind.False)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", tenant.Token);
        }

        foreach (var header in Find(Request, "headers")?.EnumerateArray() ?? default)
        {
            var (name, value) = (header[0].GetString()!, header[1].GetString());
            Assert.True(request.Headers.TryAddWithoutValidation(name, value) || request.Content?.Headers.TryAddWithoutValidation(name, value) == true, name);
        }

        using var response = await proxy.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return await ClientResponse.ReadAsync(response);
    }

    /// <summary>The rules for every response of an inference endpoint.</summary>
    public void CheckContract(ClientResponse answer)
    {
        if (Method == HttpMethod.Post)
        {
            answer.Check(Path.StartsWith("/v1/", StringComparison.Ordinal) ? Path["/v1/".Length..] : Path, Body?.GetRawText() ?? Raw ?? "");
        }
    }

    private ByteArrayContent? Content()
    {
        if ((Raw is { } raw ? Encoding.Latin1.GetBytes(raw) : Body is { } body ? Encoding.UTF8.GetBytes(body.GetRawText()) : null) is not { } bytes)
        {
            return null;
        }

        var content = new ByteArrayContent(bytes);
        content.Headers.TryAddWithoutValidation("Content-Type", Find(Request, "content_type")?.GetString() ?? "application/json");
        return content;
    }

    private static JsonElement? Find(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
}
