using System.Text;
using System.Text.Json;
using Cube.Inference;
using Cube.Inference.Errors;
using Cube.Inference.Images;
using Cube.Inference.Json;
using Cube.Inference.Translation;
using Cube.Proxy;
using Cube.Proxy.Edge;
using Cube.Proxy.Limits;

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

    private static readonly RequestLimits _limits = new(new InFlightOptions().JsonTokens, new ProxyOptions().MaxImages, new ProxyOptions().MaxImageMegapixels * 1_000_000L);

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
        string? ignored = null;
        try
        {
            using var request = JsonRequest.Read(body, (JsonRequestTranslator)endpoint.Request, _limits);
            ignored = request.Ignored.ToHeader();
            using var output = new ByteBuffer(4096);
            request.Write(output, new RequestTarget(BackendProtocols.Find(kind)!, request.Client.Model, Salt), CancellationToken.None);
            return new Translation(200, null, null, ignored, JsonElement.Parse(output.Written.Span, new JsonDocumentOptions { MaxDepth = 512 }), request.Client);
        }
        catch (RequestRejectedException rejected)
        {
            var error = endpoint.Request.ForClient(rejected.Error);
            // Errors must not reveal the kind of the model server.
            Assert.DoesNotContain("ollama", error.Message, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("vllm", error.Message, StringComparison.OrdinalIgnoreCase);
            return new Translation(error.Status, error.Code, error.Param, ignored, default, null);
        }
    }

    /// <summary>The response for the client to this request, from a whole response of the model server.</summary>
    /// <exception cref="JsonException">The response of the model server is not usable: the client gets a 502.</exception>
    public JsonElement ResponseTo(string serverResponse, string path = "chat/completions")
    {
        using var output = new ByteBuffer(4096);
        EndpointOf(path).Response.WriteBuffered(Encoding.UTF8.GetBytes(serverResponse), "application/json", Request!, DateTimeOffset.UnixEpoch, output);
        return JsonElement.Parse(output.Written.Span);
    }

    private static ForwardedEndpoint EndpointOf(string path)
    {
        var full = path.StartsWith('/') ? path : $"/v1/{path}";
        return InferenceEndpoints.All.OfType<ForwardedEndpoint>().Single(endpoint => endpoint.Path == full);
    }
}
