using System.Diagnostics;
using Cube.Attestation.Atls;
using Cube.Http2;
using Cube.Proxy.Edge;

namespace Cube.Proxy.Attestation.Connections;

/// <summary>Sends requests over an attested connection. They contain no header of the client's request.</summary>
internal static class AttestedChannelExtensions
{
    public const string Json = "application/json";

    /// <param name="channel">The connection that sends the request.</param>
    /// <param name="path">Absolute path at the agent.</param>
    /// <param name="ct">Cancels the request until the response is disposed.</param>
    /// <inheritdoc cref="AttestedChannel.SendAsync" path="/exception"/>
    public static ValueTask<Http2Response> GetAsync(this AttestedChannel channel, string path, CancellationToken ct) => channel.SendAsync("GET", path, default, null, null, ct);

    /// <param name="channel">The connection that sends the request.</param>
    /// <param name="path">Absolute path at the agent.</param>
    /// <param name="json">The body. It is not copied: its content must not change before the response is disposed.</param>
    /// <param name="ct">Cancels the request until the response is disposed.</param>
    /// <inheritdoc cref="AttestedChannel.SendAsync" path="/exception"/>
    public static ValueTask<Http2Response> PostAsync(this AttestedChannel channel, string path, ReadOnlyMemory<byte> json, CancellationToken ct) => channel.SendAsync("POST", path, json, Json, null, ct);

    /// <param name="channel">The connection that sends the request.</param>
    /// <param name="method">The HTTP method.</param>
    /// <param name="path">Absolute path at the agent.</param>
    /// <param name="body">The body. It is not copied: its content must not change before the response is disposed.</param>
    /// <param name="type">The <c>Content-Type</c> of the body; null without a body.</param>
    /// <param name="requestId">The id of the client's request; null if there is none.</param>
    /// <param name="ct">Cancels the request until the response is disposed.</param>
    /// <inheritdoc cref="AttestedChannel.SendAsync" path="/exception"/>
    public static ValueTask<Http2Response> SendAsync(this AttestedChannel channel, string method, string path, ReadOnlyMemory<byte> body, string? type, string? requestId, CancellationToken ct) =>
        AgentTelemetry.IsEnabled ? AgentTelemetry.ObserveAsync(channel.Address, method, () => Send(channel, method, path, body, type, requestId, ct)) : Send(channel, method, path, body, type, requestId, ct);

    /// <summary>Reads the whole body of a response.</summary>
    /// <exception cref="InvalidDataException">The body is longer than <paramref name="maxBytes"/>.</exception>
    /// <exception cref="IOException">The response is incomplete.</exception>
    public static async Task<MemoryStream> ReadToEndAsync(this Http2Response response, int maxBytes)
    {
        var body = new MemoryStream();
        var buffer = new byte[16 << 10];
        while (await response.ReadAsync(buffer) is > 0 and var read)
        {
            body.Write(buffer, 0, read);
            if (body.Length > maxBytes)
            {
                throw new InvalidDataException("The agent's response is too long.");
            }
        }

        body.Position = 0;
        return body;
    }

    private static ValueTask<Http2Response> Send(AttestedChannel channel, string method, string path, ReadOnlyMemory<byte> body, string? type, string? requestId, CancellationToken ct) => channel.SendAsync(
        new Http2Request { Method = method, Authority = channel.Address.Authority, Path = path, Body = body, ContentType = type, Headers = HeadersOf(requestId) }, ct);

    /// <summary>The request id and the trace context (W3C) of the current span.</summary>
    private static HeaderField[] HeadersOf(string? requestId) => (requestId, Activity.Current) switch
    {
        (null, null) => [],
        (null, { Id: { } trace }) => [new("traceparent", trace)],
        ({ } id, { Id: { } trace }) => [new(ResponseHeaders.RequestId, id), new("traceparent", trace)],
        ({ } id, _) => [new(ResponseHeaders.RequestId, id)],
        _ => [],
    };
}
