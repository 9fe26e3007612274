using System.Net.Http.Headers;
using System.Text;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary>Transcriptions and translations. The model server receives the file unchanged and only known fields.</summary>
[Collection(ReplayCollectionDefinition.Name)]
public sealed class AudioTests(ReplaySystem system)
{
    private static readonly byte[] _file = [.. "RIFF\r\n--x\r\n"u8, .. Enumerable.Range(0, 4096).Select(static i => (byte)(i * 31))];

    private Task<ClientResponse> AskAsync(string form, string path = "audio/transcriptions", string kind = "vllm", string type = "multipart/form-data; boundary=xyz") =>
        ClientResponse.AskAsync(system[kind].Cube, system[kind].Tenant, path, form, type);

    private static string Form(params (string Name, string Value)[] fields) => string.Concat(fields.Select(static field =>
        $"--xyz\r\nContent-Disposition: form-data; name=\"{field.Name}\"{(field.Name == "file" ? "; filename=\"my secret.wav\"\r\nContent-Type: audio/wav" : "")}\r\n\r\n{field.Value}\r\n")) + "--xyz--\r\n";

    [Fact]
    public async Task A_form_reaches_the_model_server_unchanged_except_for_the_file_name()
    {
        var (cube, server, tenant) = system["vllm"];
        server.PlayJson(200, """{"text":"Hello.","usage":{"type":"duration","seconds":2},"secret":1}""");
        using var form = new MultipartFormDataContent("xyz");
        using var file = new ByteArrayContent(_file) { Headers = { ContentType = new MediaTypeHeaderValue("audio/wav") } };
        form.Add(new StringContent("smollm2") { Headers = { ContentType = null } }, "\"model\"");
        form.Add(file, "\"file\"", "\"meeting of the board.wav\"");
        form.Add(new StringContent("en") { Headers = { ContentType = null } }, "\"language\"");
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{tenant.Api}/audio/transcriptions") { Content = form, Headers = { Authorization = new("Bearer", tenant.Token) } };
        using var response = await cube.Http.SendAsync(request);
        Assert.Equal((200, """{"text":"Hello.","usage":{"type":"duration","seconds":2}}"""), ((int)response.StatusCode, await response.Content.ReadAsStringAsync()));
        var (head, body) = server.Requests.Last();
        Assert.StartsWith("POST /v1/audio/transcriptions HTTP/1.1", head, StringComparison.Ordinal);
        Assert.Contains("multipart/form-data; boundary=\"xyz\"", head, StringComparison.Ordinal);
        Assert.Contains($"filename=\"audio.wav\"\r\nContent-Type: audio/wav\r\n\r\n{Encoding.UTF8.GetString(_file)}\r\n--xyz", body, StringComparison.Ordinal);
        Assert.Contains("name=\"language\"\r\n\r\nen\r\n", body, StringComparison.Ordinal);
        Assert.DoesNotContain("board", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_NET_SDK_transcribes_and_translates()
    {
        var (cube, server, tenant) = system["vllm"];
        server.PlayJson(200, """{"text":"Hello."}""");
        var client = cube.CreateSdkClient(tenant).GetAudioClient("smollm2");
        Assert.Equal("Hello.", (await client.TranscribeAudioAsync(new MemoryStream(_file), "a.wav")).Value.Text);
        Assert.Equal("Hello.", (await client.TranslateAudioAsync(new MemoryStream(_file), "a.wav")).Value.Text);
        Assert.StartsWith("POST /v1/audio/translations ", server.Requests.Last().Head, StringComparison.Ordinal);
        Assert.Contains(Encoding.UTF8.GetString(_file), server.Requests.Last().Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("json", "application/json", """{"text":"a"}""", "application/json", """{"text":"a"}""")]
    [InlineData("text", "application/json", "\"a\\n\"", "text/plain", "a\n")]
    [InlineData("text", "text/plain", "a\n", "text/plain", "a\n")]
    [InlineData("srt", "text/plain", "1\n00:00 --> 00:01\na\n", "text/plain", "1\n00:00 --> 00:01\na\n")]
    [InlineData("vtt", "text/vtt", "WEBVTT\n", "text/vtt", "WEBVTT\n")]
    [InlineData("verbose_json", "application/json", """{"language":"en","duration":"2.5","text":"a","segments":[],"x":1}""", "application/json", """{"task":"transcribe","duration":2.5,"language":"en","text":"a","segments":[]}""")]
    public async Task Each_response_format_matches_the_OpenAI_format(string format, string type, string given, string expectedType, string expected)
    {
        system["vllm"].Server.PlayJson(200, given, type);
        var answer = await AskAsync(Form(("file", "x"), ("model", "m"), ("response_format", format)));
        Assert.Equal((200, expectedType, expected), (answer.Status, answer.Type, answer.Text));
        if (expectedType == "application/json")
        {
            OpenAiSchema.Check(format == "json" ? "CreateTranscriptionResponseJson" : "CreateTranscriptionResponseVerboseJson", answer.Json);
        }
    }

    [Theory]
    [InlineData("application/json", "{}")]
    [InlineData("application/json", "[]")]
    [InlineData("application/json", "{")]
    [InlineData("text/html", "<html>")]
    public async Task An_invalid_transcription_is_answered_with_502(string type, string given)
    {
        system["vllm"].Server.PlayJson(200, given, type);
        Assert.Equal((502, "upstream_error"), await AskAsync(Form(("file", "x"), ("model", "m"))) is var answer ? (answer.Status, answer.Code) : default);
    }

    [Fact]
    public async Task A_streamed_transcription_has_the_OpenAI_events_and_requests_usage()
    {
        var server = system["vllm"].Server;
        string[] chunks = [Chunk("{\"content\":\"Hel\"}"), Chunk("{\"content\":\"lo.\"}"), Chunk("{\"content\":\"\"}", "\"stop\""), """data: {"object":"transcription.chunk","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}""" + "\n\n", "data: [DONE]\n\n"];
        server.PlayEvents(chunks);
        var answer = await AskAsync(Form(("file", "x"), ("model", "m"), ("stream", "true")));
        Assert.Equal(
            "data: {\"type\":\"transcript.text.delta\",\"delta\":\"Hel\"}\n\ndata: {\"type\":\"transcript.text.delta\",\"delta\":\"lo.\"}\n\n"
            + "data: {\"type\":\"transcript.text.done\",\"text\":\"Hello.\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":3,\"output_tokens\":2,\"total_tokens\":5}}\n\n", answer.Text);
        Assert.Contains("name=\"stream_include_usage\"\r\n\r\ntrue", server.Requests.Last().Body, StringComparison.Ordinal);
        server.PlayEvents(chunks.Take(1));
        Assert.True((await AskAsync(Form(("file", "x"), ("model", "m"), ("stream", "true")))).IsBroken);
    }

    private static string Chunk(string delta, string finish = "null") => $$"""data: {"object":"transcription.chunk","choices":[{"delta":{{delta}},"finish_reason":{{finish}}}]}""" + "\n\n";

    [Fact]
    public async Task Fields_that_control_the_server_are_dropped_and_reported()
    {
        var server = system["vllm"].Server;
        server.PlayJson(200, """{"text":"a"}""");
        var answer = await AskAsync(Form(("file", "x"), ("model", "m"), ("request_id", "1"), ("vllm_xargs", "{}"), ("include[]", "logprobs"), ("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment")));
        Assert.Equal((200, "request_id, vllm_xargs"), (answer.Status, answer.Headers.GetValues("x-cube-ignored").Single()));
        Assert.Equal(Form(("file", "x"), ("model", "m"), ("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment")).Replace("my secret", "audio", StringComparison.Ordinal), server.Requests.Last().Body);
    }

    [Theory]
    [InlineData("Content-Transfer-Encoding: binary", 200)]
    [InlineData("content-transfer-encoding: 8BIT", 200)]
    [InlineData("Content-Transfer-Encoding: 7bit\r\nContent-Length: 1\r\nX-Other: y", 200)]
    [InlineData("Content-Transfer-Encoding: base64", 400)]
    [InlineData("Content-Transfer-Encoding: quoted-printable", 400)]
    [InlineData("Content-Transfer-Encoding: binary, base64", 400)]
    public async Task Harmless_part_headers_are_accepted_and_not_forwarded(string header, int status)
    {
        var server = system["vllm"].Server;
        server.PlayJson(200, """{"text":"a"}""");
        var answer = await AskAsync($"--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n{header}\r\n\r\nx\r\n--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--xyz--\r\n");
        Assert.Equal((status, status == 200 ? null : "invalid_form"), (answer.Status, answer.Code));
        if (status == 200)
        {
            Assert.Equal("--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"audio.wav\"\r\n\r\nx\r\n--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--xyz--\r\n", server.Requests.Last().Body);
        }
    }

    public static TheoryData<string, string, string?> Wrong => new()
    {
        { Form(("file", "x")), "missing_required_parameter", "model" },
        { Form(("model", "m")), "missing_required_parameter", "file" },
        { Form(("file", ""), ("model", "m")), "missing_required_parameter", "file" },
        { Form(("file", "x"), ("model", "m"), ("model", "n")), "invalid_value", "model" },
        { Form(("file", "x"), ("file", "y"), ("model", "m")), "invalid_value", "file" },
        { Form(("file", "x"), ("model", "m"), ("response_format", "xml")), "invalid_value", "response_format" },
        { Form(("file", "x"), ("model", "m"), ("temperature", "2")), "invalid_value", "temperature" },
        { Form(("file", "x"), ("model", "m"), ("stream", "yes")), "invalid_value", "stream" },
        { Form(("file", "x"), ("model", "m"), ("stream", "true"), ("response_format", "srt")), "invalid_value", "response_format" },
        { Form(("file", "x"), ("model", "m"), ("timestamp_granularities[]", "hour")), "invalid_value", "timestamp_granularities" },
        { Form(("file", "x"), ("model", "m")).Replace("--xyz--", "", StringComparison.Ordinal), "invalid_form", null },
        { "--xyz\r\nX: y\r\n\r\nm\r\n--xyz--\r\n", "invalid_form", null },
        { "--xyz\r\nContent-Disposition: form-data; name=\"model\"; filename=\"m\"\r\n\r\nm\r\n--xyz--\r\n", "invalid_form", null },
        { "--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: base64\r\n\r\nbQ==\r\n--xyz--\r\n", "invalid_form", null },
        { "no form", "invalid_form", null },
        { "", "invalid_form", null },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task An_invalid_form_is_rejected_by_parameter_and_not_forwarded(string form, string code, string? param)
    {
        var before = system["vllm"].Server.Requests.Count;
        Assert.Equal((400, code, param), await AskAsync(form) is var answer ? (answer.Status, answer.Code, answer.Param) : default);
        Assert.Equal(before, system["vllm"].Server.Requests.Count);
    }

    [Fact]
    public async Task A_wrong_media_type_model_or_backend_kind_is_rejected()
    {
        var form = Form(("file", "x"), ("model", "m"));
        Assert.Equal(415, (await AskAsync(form, type: "application/json")).Status);
        Assert.Equal(400, (await AskAsync(form, type: "multipart/form-data")).Status);
        Assert.Equal((404, "model_not_found"), await AskAsync(Form(("file", "x"), ("model", "unknown"))) is var unknown ? (unknown.Status, unknown.Code) : default);
        foreach (var path in (string[])["audio/transcriptions", "audio/translations"])
        {
            Assert.Equal((404, "unknown_url"), await AskAsync(form, path, "ollama") is var other ? (other.Status, other.Code) : default);
        }

        system["vllm"].Server.Play(Recording.Find("vllm-0.32.0/default/audio"));
        Assert.Equal((404, "unknown_url"), await AskAsync(form) is var text ? (text.Status, text.Code) : default);
    }
}
