using System.Net.Http.Headers;
using System.Text.Json;
using Cube.Attestation;
using Cube.Attestation.Atls;
using Cube.Http2;
using Cube.Inference;
using Cube.Inference.Errors;
using Cube.Inference.Json;
using Cube.Inference.Translation;
using Cube.Proxy.Attestation;
using Cube.Proxy.Attestation.Connections;
using Cube.Proxy.Authorization;
using Cube.Proxy.Configuration;
using Cube.Proxy.Edge;
using Cube.Proxy.Inference.Models;
using Cube.Proxy.Limits;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Inference;

/// <summary>
/// Sends a translated request to an agent over an attested connection, and translates the response. Requests and responses contain only known members, so headers and unknown members are not forwarded in either
/// direction.
/// </summary>
internal sealed class InferenceForwarder
{
    private const int MaxResponseBytes = 64 << 20;
    private readonly BackendConnectionProvider _backends;
    private readonly CacheSalts _salts;
    private readonly ProxyConfigurationProvider _configuration;
    private readonly ModelCatalogClient _models;
    private readonly ProxyOptions _options;
    private readonly BackendQueues _queues;
    private readonly TimeProvider _time;
    private readonly TokenMeter _tokens;

    public InferenceForwarder(
        BackendConnectionProvider backends, CacheSalts salts, ProxyConfigurationProvider configuration, ModelCatalogClient models, IOptions<ProxyOptions> options, BackendQueues queues, TimeProvider time,
        TokenMeter tokens)
    {
        (_backends, _salts, _configuration, _models, _options, _queues, _time, _tokens) = (backends, salts, configuration, models, options.Value, queues, time, tokens);
    }

    /// <exception cref="RequestRejectedException">The model server of the route does not support the request.</exception>
    public async Task ForwardAsync(HttpContext context)
    {
        var endpoint = context.GetForwardedEndpoint();
        var member = context.Features.GetRequiredFeature<DomainMember>();
        var route = context.Features.GetRequiredFeature<Route>();
        if (endpoint.ChangesModels && !AllowsModelChanges(member.DomainId, route))
        {
            await OpenAiError.ModelsFixed.WriteAsync(context);
            return;
        }

        var exchange = Translate(context, endpoint, member, route, out var outgoing);
        ResponseOutcome outcome;
        var isAdmitted = false;
        try
        {
            if (await _queues.EnterAsync(route.Target, member.DomainId, context.RequestAborted) is { } rejection)
            {
                outcome = await FailAsync(context, rejection);
            }
            else
            {
                isAdmitted = true;
                outcome = await SendAsync(context, exchange);
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            outcome = new ResponseOutcome(ResponseEnd.Aborted, null);
        }
        finally
        {
            if (isAdmitted)
            {
                _queues.Leave(route.Target);
            }

            // The response is disposed, so that the connection no longer reads the buffer.
            outgoing.Dispose();
        }

        if (outcome.End == ResponseEnd.Aborted && !context.Response.HasStarted)
        {
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
        }

        context.Features.Set(outcome);
        if (outcome.Usage is { } usage)
        {
            _tokens.Add(usage, exchange);
        }
    }

    /// <summary>Whether all policies that apply allow it: those of the platform, the domain and the route.</summary>
    private bool AllowsModelChanges(Guid domain, Route route) =>
        _configuration.Current.PoliciesFor(domain, route.Id).Policies is { Count: > 0 } policies && policies.All(static policy => policy.Policy.AllowModelChanges);

    /// <summary>Writes the model server's request, and releases the memory of the client's request, which is not needed during generation.</summary>
    private BackendExchange Translate(HttpContext context, ForwardedEndpoint endpoint, DomainMember member, Route route, out ByteBuffer outgoing)
    {
        var lease = context.Features.GetRequiredFeature<BodyLease>();
        var request = context.Features.GetRequiredFeature<InferenceRequest>();
        var model = context.Features.GetRequiredFeature<ResolvedModel>();
        var length = context.Features.GetRequiredFeature<RequestBody>().Bytes.Length;
        // Both bodies count against the limits while both are in memory.
        lease.Add(length);
        outgoing = new ByteBuffer(length + 512);
        try
        {
            var type = request.Write(outgoing, new RequestTarget(model.Backend, model.Id, _salts.Of(member.DomainId, member.Caller.UserId)), context.RequestAborted);
            var path = endpoint.BackendPath;
            var exchange = new BackendExchange(
                endpoint, member, route, model.Backend.PathOf(path), outgoing.Written, type, request.Client, model.Id, model.Backend.PreflightFor(path, outgoing.Written));
            lease.Release();
            lease.Add(outgoing.Capacity);
            return exchange;
        }
        catch
        {
            outgoing.Dispose();
            throw;
        }
    }

    private async Task<ResponseOutcome> SendAsync(HttpContext context, BackendExchange exchange)
    {
        for (var isRetry = false; ; isRetry = true)
        {
            if (await FindAsync(context, exchange) is not { } channel)
            {
                return Failed;
            }

            context.SetAttestationResult(channel.Verdict);
            channel.Begin();
            try
            {
                return await ExchangeAsync(context, exchange, channel);
            }
            catch (Http2Exception exception) when (exception.IsUnprocessed && !isRetry && !context.Response.HasStarted)
            {
                // The connection was closed before the agent processed the request. The proxy retries once with another connection.
            }
            catch (Http2Exception exception) when (exception.IsUnprocessed)
            {
                return await FailAsync(context, OpenAiError.UpstreamError);
            }
            catch (AttestationException exception)
            {
                await AttestationErrorTranslator.Translate(exception).WriteAsync(context);
                return Failed;
            }
            finally
            {
                channel.End();
            }
        }
    }

    private async Task<ResponseOutcome> ExchangeAsync(HttpContext context, BackendExchange exchange, AttestedChannel channel)
    {
        var endpoint = exchange.Endpoint;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        timeout.CancelAfter(_options.ActivityTimeout);
        try
        {
            if (await FindPreflightErrorAsync(exchange, channel, timeout.Token) is { } rejected)
            {
                return await FailAsync(context, endpoint.Request.ForClient(rejected));
            }

            using var response = await channel.SendAsync(endpoint.Method, exchange.Route.PathOf(exchange.Path), exchange.Body, exchange.Type, context.TraceIdentifier, timeout.Token);
            if (response.Status != StatusCodes.Status200OK)
            {
                var error = await AgentErrorTranslator.TranslateAsync(response, exchange.Body, exchange.Client.TokenLimitName);
                return await FailAsync(context, endpoint.ChangesModels && error.Code == OpenAiError.UnknownUrl.Code ? OpenAiError.ModelsFixed : endpoint.Request.ForClient(error));
            }

            return await ReceiveAsync(context, exchange, response, timeout);
        }
        catch (Exception exception) when (exception is Http2Exception { IsUnprocessed: true } && !context.Response.HasStarted)
        {
            // The caller retries.
            throw;
        }
        catch (Exception exception) when (AttestationException.Find(exception) is { } failure)
        {
            throw failure;
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            return await FailAsync(context, OpenAiError.UpstreamTimeout);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException or JsonException)
        {
            context.RequestAborted.ThrowIfCancellationRequested();
        }

        return await FailAsync(context, OpenAiError.UpstreamError);
    }

    /// <param name="context">The request.</param>
    /// <param name="exchange">The translated request.</param>
    /// <param name="response">A response with status 200.</param>
    /// <param name="timeout">The timeout of a buffered response. Streams have timeouts of their own.</param>
    private Task<ResponseOutcome> ReceiveAsync(HttpContext context, BackendExchange exchange, Http2Response response, CancellationTokenSource timeout)
    {
        var type = MediaTypeOf(response);
        return !exchange.Client.IsStream ? BufferAsync(context, exchange, response, type)
            : type is "text/event-stream" or "application/x-ndjson" ? StreamAsync(context, exchange, response, timeout)
            : FailAsync(context, OpenAiError.UpstreamError);
    }

    private static string? MediaTypeOf(Http2Response response) => response.ContentType switch
    {
        null or AttestedChannelExtensions.Json or "text/event-stream" or "application/x-ndjson" => response.ContentType,
        "text/event-stream; charset=utf-8" => "text/event-stream",
        var other => MediaTypeHeaderValue.TryParse(other, out var parsed) ? parsed.MediaType : null,
    };

    private static ResponseOutcome Failed { get; } = new(ResponseEnd.Failed, null);

    private static async Task<ResponseOutcome> FailAsync(HttpContext context, OpenAiError error)
    {
        await error.WriteAsync(context);
        return Failed;
    }

    private static async Task<OpenAiError?> FindPreflightErrorAsync(BackendExchange exchange, AttestedChannel channel, CancellationToken ct)
    {
        foreach (var question in exchange.Preflight)
        {
            using var response = await channel.PostAsync(exchange.Route.PathOf(question.Path), question.Body, ct);
            using var body = await response.ReadToEndAsync(1 << 20);
            if (question.FindError(response.Status, body.ToArray()) is { } error)
            {
                return error;
            }
        }

        return null;
    }

    private async Task<ResponseOutcome> StreamAsync(HttpContext context, BackendExchange exchange, Http2Response response, CancellationTokenSource timeout)
    {
        var stream = exchange.Endpoint.Response.BeginStream(exchange.Client, _time);
        using (stream as IDisposable)
        {
            var relay = new StreamRelay(context, stream, _options, timeout);
            var end = await relay.RunAsync(response.AsStream());
            if (exchange.Endpoint.ChangesModels)
            {
                _models.Invalidate();
            }

            return new ResponseOutcome(end, end switch
            {
                ResponseEnd.Complete => stream.Usage,
                ResponseEnd.Aborted when relay.Events > 0 => stream.Usage ?? TokenUsage.Estimate(exchange.Body.Length, relay.Events),
                // Tokens do not count if the client got no response.
                _ => null,
            });
        }
    }

    private async Task<ResponseOutcome> BufferAsync(HttpContext context, BackendExchange exchange, Http2Response response, string? type)
    {
        using var received = new ByteBuffer(4 << 10);
        while (await response.ReadAsync(received.GetMemory(4096)) is > 0 and var read)
        {
            received.Advance(read);
            if (received.Length > MaxResponseBytes)
            {
                throw new InvalidDataException("The model server's response is too long.");
            }
        }

        using var output = new ByteBuffer(received.Length + 512);
        var (contentType, usage) = exchange.Endpoint.Response.WriteBuffered(received.Written, type, exchange.Client, _time.GetUtcNow(), output);
        if (exchange.Endpoint.ChangesModels)
        {
            _models.Invalidate();
        }

        context.Response.ContentType = contentType;
        context.Response.ContentLength = output.Length;
        var end = await context.WriteToClientAsync(output.Written, _options.ClientStallTimeout) ? ResponseEnd.Complete : ResponseEnd.Aborted;
        return new ResponseOutcome(end, usage);
    }

    /// <returns>Null if an error has been written to the response. Then no part of the request was sent.</returns>
    private async ValueTask<AttestedChannel?> FindAsync(HttpContext context, BackendExchange exchange)
    {
        try
        {
            return await _backends.GetAsync(exchange.Route, exchange.Member.DomainId, context.RequestAborted);
        }
        catch (AttestationException exception)
        {
            context.SetAttestationResult(exception);
            await AttestationErrorTranslator.Translate(exception).WriteAsync(context);
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException && !context.RequestAborted.IsCancellationRequested)
        {
            await OpenAiError.UpstreamError.WriteAsync(context);
        }

        return null;
    }
}
