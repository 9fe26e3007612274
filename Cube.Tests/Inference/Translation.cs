using System.Text;
using System.Text.Json;
using Cube.Proxy;
using Cube.Proxy.Edge;
using Cube.Proxy.OpenAi;
using Cube.Proxy.OpenAi.Answers;
using Cube.Proxy.OpenAi.Requests;
using Cube.Proxy.Routing;

namespace Cube.Tests.Inference;

/// <summary>
/// The result of checking and translating one request with the default limits, without a running system. It is the only file of the unit tests that knows how the
/// translation is called.
/// </summary>
/// <param name="Status">200, or the status of the error.</param>
/// <param name="Code">The code of the error; null where the request was translated.</param>
/// <param name="Param">The parameter that the error names.</param>
/// <param name="Ignored">The value of <c>x-cube-ignored</c>; null where the response does not have this header.</param>
/// <param name="Sent">The body for the model server; undefined for an error.</param>
/// <param name="Request">What the response depends on; null for an error.</param>
internal sealed record Translation(int Status, string? Code, string? Param, string? Ignored, JsonElement Sent, ClientRequest? Request)
{
    public const string Salt = "the salt of this user";

    private static readonly ProxyOptions _options = new();
    private static readonly int _mostTokens = new InFlightOptions().JsonTokens;

    /// <summary>The (status, code, param) of the error.</summary>
    public (int Status, string? Code, string? Param) Error => (Status, Code, Param);

    /// <summary>The translated body of a request that must be valid.</summary>
    public static JsonElement SentTo(string kind, string body, string path = "chat/completions")
    {
        var translation = Of(kind, body, path);
        Assert.True(translation.Status == 200, $"{translation.Error}");
        return translation.Sent;
    }

    /// <param name="kind">The kind of the model server: <c>ollama</c> or <c>vllm</c>.</param>
    /// <param name="body">The body of the request.</param>
    /// <param name="path">The endpoint, below <c>/v1</c> unless it starts with a slash.</param>
    public static Translation Of(string kind, string body, string path = "chat/completions") => Of(kind, Encoding.UTF8.GetBytes(body), path);

    public static Translation Of(string kind, byte[] body, string path = "chat/completions")
    {
        var endpoint = EndpointOf(path);
        var ignored = new IgnoredMembers();
        try
        {
            using var document = StrictJson.Parse(body, _mostTokens, lease: null);
            var shape = RequestShapes.Of(endpoint);
            shape.Check(document.RootElement, ignored, new ImageAllowance(_options.MaxImages, _options.MaxImageMegapixels * 1_000_000L));
            var request = shape.Read(document.RootElement);
            using var output = new ByteBuffer(4096);
            using (var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true }))
            {
                shape.Write(document.RootElement, json, new RequestTarget(BackendKinds.Parse(kind)!.Value, request.Model, Salt), CancellationToken.None);
            }

            return new Translation(200, null, null, ignored.ToHeader(), JsonElement.Parse(output.Written.Span, new JsonDocumentOptions { MaxDepth = 512 }), request);
        }
        catch (RefusedException refused)
        {
            var error = ClientParams.In(endpoint, refused.Error);
            // The kind of model server is not the client's concern.
            Assert.DoesNotContain("ollama", error.Message, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("vllm", error.Message, StringComparison.OrdinalIgnoreCase);
            return new Translation(error.Status, error.Code, error.Param, ignored.ToHeader(), default, null);
        }
    }

    /// <summary>The response for the client to this request, from a whole response of the model server.</summary>
    /// <exception cref="JsonException">The response of the model server is not usable: the client gets a 502.</exception>
    public JsonElement ResponseTo(string serverResponse, string path = "chat/completions")
    {
        using var output = new ByteBuffer(4096);
        WholeAnswer.Write(Encoding.UTF8.GetBytes(serverResponse), EndpointOf(path), Request!, DateTimeOffset.UnixEpoch, output);
        return JsonElement.Parse(output.Written.Span);
    }

    private static InferenceEndpoint EndpointOf(string path)
    {
        var full = path.StartsWith('/') ? path : $"/v1/{path}";
        return InferenceEndpoints.All.Single(endpoint => endpoint.Path == full && endpoint.HasModelBody);
    }
}
