using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Text.Json;
using Cube.Attestation;
using Cube.Attestation.Atls;
using Cube.Proxy.Attestation;
using Cube.Proxy.Attestation.Backends;
using Cube.Proxy.Edge;
using Cube.Proxy.OpenAi;
using Cube.Proxy.OpenAi.Answers;
using Cube.Proxy.OpenAi.Requests;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Forwarding;

/// <summary>
/// The hop to an agent. The request is written anew and the answer is too, so nothing of a client's head or of a model server's passes
/// by itself: of a request its path and the members that are known, of an answer the same.
/// </summary>
internal sealed class InferenceForwarder
{
    private const int MostAnswer = 64 << 20;
    private readonly AttestedBackends _backends;
    private readonly CacheSalts _salts;
    private readonly ProxyOptions _options;
    private readonly TimeProvider _time;
    private readonly Counter<long> _tokens;

    public InferenceForwarder(AttestedBackends backends, CacheSalts salts, IOptions<ProxyOptions> options, TimeProvider time, IMeterFactory meters)
    {
        (_backends, _salts, _options, _time) = (backends, salts, options.Value, time);
        _tokens = meters.Create("Cube.Proxy").CreateCounter<long>("cube.proxy.tokens", "{token}", "Tokens as model servers count them, by domain, model and direction.");
    }

    /// <exception cref="RefusedException">The model server behind the route cannot do what is asked.</exception>
    public async Task ForwardAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        var outgoing = Write(request);
        var checks = OllamaChecks.Of(request.Endpoint!, request.Backend, request.Json!.RootElement, request.ModelAtServer!);
        request.ReleaseBody();
        try
        {
            request.End = await SendAsync(context, request, outgoing.Written, checks);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            request.End = AnswerEnd.Aborted;
        }

        if (request.End == AnswerEnd.Complete)
        {
            // Not where something failed: the connection may still be reading it then.
            outgoing.Dispose();
        }
        else if (request.End == AnswerEnd.Aborted && !context.Response.HasStarted)
        {
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
        }

        Meter(request);
    }

    private ByteBuffer Write(DomainRequest request)
    {
        var outgoing = new ByteBuffer(request.Body!.Bytes.Length + 512);
        using var json = new Utf8JsonWriter(outgoing, new JsonWriterOptions { SkipValidation = true });
        RequestShapes.Of(request.Endpoint!).Write(
            request.Json!.RootElement, json, new RequestTarget(request.Backend, request.ModelAtServer!, _salts.Of(request.DomainId, request.Caller!.UserId)));
        json.Flush();
        return outgoing;
    }

    private async Task<AnswerEnd> SendAsync(HttpContext context, DomainRequest request, ReadOnlyMemory<byte> outgoing, OllamaChecks? checks)
    {
        for (var isSecond = false; ; isSecond = true)
        {
            if (await FindAsync(context, request) is not { } channel)
            {
                return AnswerEnd.Failed;
            }

            context.Describe(channel.Verdict);
            channel.Begin();
            try
            {
                return await ExchangeAsync(context, request, channel, outgoing, checks);
            }
            catch (AttestationException lost) when (lost.Code == Codes.AtlsFrame && !isSecond && !context.Response.HasStarted)
            {
                // The connection had gone before anything was sent: another one is asked.
            }
            catch (AttestationException lost)
            {
                await AttestationErrors.Explain(lost).WriteAsync(context);
                return AnswerEnd.Failed;
            }
            finally
            {
                channel.End();
            }
        }
    }

    private async Task<AnswerEnd> ExchangeAsync(HttpContext context, DomainRequest request, AttestedChannel channel, ReadOnlyMemory<byte> outgoing, OllamaChecks? checks)
    {
        using var message = channel.Post(request.Route!.PathOf(request.Endpoint!.Path), outgoing);
        message.Headers.TryAddWithoutValidation(RequestIds.Header, context.TraceIdentifier);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        patience.CancelAfter(_options.ActivityTimeout);
        try
        {
            if (checks is not null && await checks.FindFaultAsync(channel, request.Route!, patience.Token) is { } fault)
            {
                await fault.WriteAsync(context);
                return AnswerEnd.Failed;
            }

            using var response = await channel.Invoker.SendAsync(message, patience.Token);
            if (response.StatusCode != HttpStatusCode.OK)
            {
                await (await AgentErrors.TranslateAsync(response, patience.Token)).WriteAsync(context);
                return AnswerEnd.Failed;
            }

            var type = response.Content.Headers.ContentType?.MediaType;
            await using var body = await response.Content.ReadAsStreamAsync(patience.Token);
            if (request.Wanted!.IsStream && type is "text/event-stream" or "application/x-ndjson")
            {
                patience.CancelAfter(Timeout.InfiniteTimeSpan);
                IAnswerStream answer = type == "application/x-ndjson" ? new NativeStream(request.Wanted)
                    : request.Endpoint == InferenceEndpoints.ChatCompletions ? new ChatStream(request.Wanted, _time.GetUtcNow())
                    : new CompletionStream(request.Wanted, _time.GetUtcNow());
                var end = await new StreamRelay(context, answer, _options).RunAsync(body);
                request.Usage = answer.Usage;
                return end;
            }

            if (!request.Wanted.IsStream && type == "application/json")
            {
                return await WholeAsync(context, request, body, patience.Token);
            }
        }
        catch (Exception exception) when (AttestationException.In(exception) is { } lost)
        {
            throw lost;
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            await OpenAiError.UpstreamTimeout.WriteAsync(context);
            return AnswerEnd.Failed;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException or JsonException)
        {
            context.RequestAborted.ThrowIfCancellationRequested();
        }

        await OpenAiError.UpstreamError.WriteAsync(context);
        return AnswerEnd.Failed;
    }

    private async Task<AnswerEnd> WholeAsync(HttpContext context, DomainRequest request, Stream body, CancellationToken ct)
    {
        using var answer = new ByteBuffer(16 << 10);
        while (await body.ReadAsync(answer.GetMemory(4096), ct) is > 0 and var read)
        {
            answer.Advance(read);
            if (answer.Length > MostAnswer)
            {
                throw new InvalidDataException("The model server's answer is too long.");
            }
        }

        using var output = new ByteBuffer(answer.Length + 512);
        request.Usage = WholeAnswer.Write(answer.Written, request.Endpoint!, request.Wanted!, _time.GetUtcNow(), output);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = output.Length;
        await context.Response.BodyWriter.WriteAsync(output.Written, context.RequestAborted);
        return AnswerEnd.Complete;
    }

    /// <returns>Null where the client has got an error already: nothing of its request has left this proxy.</returns>
    private async ValueTask<AttestedChannel?> FindAsync(HttpContext context, DomainRequest request)
    {
        try
        {
            return await _backends.GetAsync(request.Route!, request.DomainId, context.RequestAborted);
        }
        catch (AttestationException exception)
        {
            context.Describe(exception);
            await AttestationErrors.Explain(exception).WriteAsync(context);
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException && !context.RequestAborted.IsCancellationRequested)
        {
            await OpenAiError.UpstreamError.WriteAsync(context);
        }

        return null;
    }

    private void Meter(DomainRequest request)
    {
        if (request.Usage is not { } usage)
        {
            return;
        }

        Activity.Current?.SetTag("gen_ai.usage.input_tokens", usage.Prompt).SetTag("gen_ai.usage.output_tokens", usage.Completion);
        TagList tags = new() { { "cube.domain.id", request.DomainId }, { "gen_ai.request.model", request.ModelAtServer } };
        _tokens.Add(usage.Prompt, [.. tags, new("gen_ai.token.type", "input")]);
        _tokens.Add(usage.Completion, [.. tags, new("gen_ai.token.type", "output")]);
    }
}
