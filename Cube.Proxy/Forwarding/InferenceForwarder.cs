using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Verdicts;
using Cube.Attestation.Atls;
using Cube.Proxy.Attestation;
using Cube.Proxy.Attestation.Backends;
using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Edge;
using Cube.Proxy.Models;
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
    private readonly PoliciesInForce _inForce;
    private readonly ServedModels _models;
    private readonly ProxyOptions _options;
    private readonly TimeProvider _time;
    private readonly Counter<long> _tokens;

    public InferenceForwarder(
        AttestedBackends backends, CacheSalts salts, PoliciesInForce inForce, ServedModels models, IOptions<ProxyOptions> options, TimeProvider time, IMeterFactory meters)
    {
        (_backends, _salts, _inForce, _models, _options, _time) = (backends, salts, inForce, models, options.Value, time);
        _tokens = meters.Create("Cube.Proxy").CreateCounter<long>("cube.proxy.tokens", "{token}", "Tokens as model servers count them, by domain, model and direction.");
    }

    /// <exception cref="RefusedException">The model server behind the route cannot do what is asked.</exception>
    public async Task ForwardAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        if (request.Endpoint!.Kind == EndpointKind.Weights && !MayChangeModels(request))
        {
            await OpenAiError.ModelsFixed.WriteAsync(context);
            return;
        }

        // Counted beside the body while both are held, and by itself until the request ends.
        request.Lease!.Add(request.Body!.Bytes.Length);
        var outgoing = new ByteBuffer(request.Body.Bytes.Length + 512);
        var question = new Question(new HttpMethod(request.Endpoint.Method), outgoing, Write(request, outgoing, context.RequestAborted), request.Form?.Format);
        var checks = OllamaChecks.Of(request.Endpoint, request.Backend, outgoing.Written);
        request.ReleaseBody();
        request.Lease.Add(outgoing.Capacity);
        try
        {
            request.End = await SendAsync(context, request, question, checks);
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

    /// <param name="Method">Of HTTP.</param>
    /// <param name="Body">What goes to the agent.</param>
    /// <param name="Type">What that is.</param>
    /// <param name="Format">What a transcription is to be.</param>
    private sealed record Question(HttpMethod Method, ByteBuffer Body, MediaTypeHeaderValue Type, string? Format);

    /// <summary>Every policy must say so: the platform's, and the domain's and the route's where they have one.</summary>
    private bool MayChangeModels(DomainRequest request) =>
        _inForce.Current.Of(request.DomainId, request.Route!.Id).Policies is { Count: > 0 } policies && policies.All(static policy => policy.Policy.AllowModelChanges);

    private MediaTypeHeaderValue Write(DomainRequest request, ByteBuffer outgoing, CancellationToken ct)
    {
        // Who changes models names them as the model server does.
        var model = request.ModelAtServer ?? request.Wanted!.Model;
        if (request.Form is { } form)
        {
            if (request.Backend != BackendKind.Vllm)
            {
                throw new RefusedException(OpenAiError.NotServed);
            }

            form.Write(outgoing, model);
            return new MediaTypeHeaderValue("multipart/form-data") { Parameters = { new NameValueHeaderValue("boundary", $"\"{form.Boundary}\"") } };
        }

        using var json = new Utf8JsonWriter(outgoing, new JsonWriterOptions { SkipValidation = true });
        RequestShapes.Of(request.Endpoint!).Write(request.Json!.RootElement, json, new RequestTarget(request.Backend, model, _salts.Of(request.DomainId, request.Caller!.UserId)), ct);
        json.Flush();
        return AgentRequests.Json;
    }

    private async Task<AnswerEnd> SendAsync(HttpContext context, DomainRequest request, Question question, OllamaChecks? checks)
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
                return await ExchangeAsync(context, request, channel, question, checks);
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

    private async Task<AnswerEnd> ExchangeAsync(HttpContext context, DomainRequest request, AttestedChannel channel, Question question, OllamaChecks? checks)
    {
        using var message = channel.Send(question.Method, request.Route!.PathOf(request.Endpoint!.PathAt(request.Backend)), question.Body.Written, question.Type);
        message.Headers.TryAddWithoutValidation(RequestIds.Header, context.TraceIdentifier);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        patience.CancelAfter(_options.ActivityTimeout);
        try
        {
            if (checks is not null && await checks.FindFaultAsync(channel, request.Route!, patience.Token) is { } fault)
            {
                await ClientParams.In(request.Endpoint, fault).WriteAsync(context);
                return AnswerEnd.Failed;
            }

            using var response = await channel.Invoker.SendAsync(message, patience.Token);
            if (response.StatusCode != HttpStatusCode.OK)
            {
                var error = await AgentErrors.TranslateAsync(response, question.Body.Written, request.Wanted?.LimitName ?? ClientRequest.UsualLimitName, patience.Token);
                await (request.Endpoint.Kind == EndpointKind.Weights && error.Code == OpenAiError.UnknownUrl.Code ? OpenAiError.ModelsFixed : ClientParams.In(request.Endpoint, error)).WriteAsync(context);
                return AnswerEnd.Failed;
            }

            var type = response.Content.Headers.ContentType?.MediaType;
            await using var body = await response.Content.ReadAsStreamAsync(patience.Token);
            if (request.Wanted!.IsStream && type is "text/event-stream" or "application/x-ndjson")
            {
                patience.CancelAfter(Timeout.InfiniteTimeSpan);
                return await StreamAsync(context, request, question, body);
            }

            if (!request.Wanted.IsStream)
            {
                return await WholeAsync(context, request, question, body, type, patience.Token);
            }
        }
        catch (Exception exception) when (AttestationException.Find(exception) is { } lost)
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

    private async Task<AnswerEnd> StreamAsync(HttpContext context, DomainRequest request, Question question, Stream body)
    {
        var answer = AnswerStreams.Of(request.Endpoint!, request.Wanted!, _time);
        using (answer as IDisposable)
        {
            var relay = new StreamRelay(context, answer, _options);
            var end = await relay.RunAsync(body);
            request.Usage = end switch
            {
                AnswerEnd.Complete => answer.Usage,
                AnswerEnd.Aborted when relay.Events > 0 => answer.Usage ?? TokenUsage.Estimate(question.Body.Length, relay.Events),
                // Who got no answer pays for none.
                _ => null,
            };
            if (request.Endpoint!.Kind == EndpointKind.Weights)
            {
                await _models.ForgetAsync();
            }

            return end;
        }
    }

    private async Task<AnswerEnd> WholeAsync(HttpContext context, DomainRequest request, Question question, Stream body, string? type, CancellationToken ct)
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
        context.Response.ContentType = "application/json";
        if (request.Endpoint!.Kind == EndpointKind.Audio)
        {
            context.Response.ContentType = TranscriptAnswer.Write(answer.Written, type, question.Format!, output);
        }
        else if (request.Endpoint.Kind == EndpointKind.Weights)
        {
            WeightAnswer.Check(answer.Written);
            await _models.ForgetAsync();
            output.Append("{\"status\":\"success\"}"u8);
        }
        else
        {
            request.Usage = type == "application/json"
                ? WholeAnswer.Write(answer.Written, request.Endpoint, request.Wanted!, _time.GetUtcNow(), output)
                : throw new JsonException("The model server's answer is no JSON.");
        }

        context.Response.ContentLength = output.Length;
        return await context.WriteToClientAsync(output.Written, _options.ClientStallTimeout) ? AnswerEnd.Complete : AnswerEnd.Aborted;
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
        TagList tags = new() { { "cube.domain.id", request.DomainId }, { "gen_ai.request.model", request.ModelAtServer }, { "cube.usage.estimated", usage.IsEstimated } };
        _tokens.Add(usage.Prompt, [.. tags, new("gen_ai.token.type", "input")]);
        _tokens.Add(usage.Completion, [.. tags, new("gen_ai.token.type", "output")]);
    }
}
