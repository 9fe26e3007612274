using Cube.Attestation.Atls;
using Cube.Proxy.Attestation;
using Cube.Proxy.Attestation.Api;
using Cube.Proxy.Attestation.Backends;
using Cube.Proxy.Edge;
using Cube.Proxy.Models;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Forwarder;

namespace Cube.Proxy.Forwarding;

/// <summary>Last stage: the model list and questions of attestation are answered here, everything else by an agent.</summary>
internal sealed class ForwardStage(
    IHttpForwarder forwarder, AttestedBackends backends, ModelCatalogue models, DomainAttestation attestation, IOptions<ProxyOptions> options)
{
    private readonly ForwarderRequestConfig _config = new() { ActivityTimeout = options.Value.ActivityTimeout };

    public async Task InvokeAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        if (request.Endpoint == InferenceEndpoints.ListModels)
        {
            await models.WriteListAsync(context);
        }
        else if (request.Endpoint == InferenceEndpoints.GetModel)
        {
            await models.WriteOneAsync(context, request.ModelId!);
        }
        else if (request.Endpoint is { IsInference: false })
        {
            await attestation.AnswerAsync(context);
        }
        else
        {
            await ForwardAsync(context);
        }
    }

    private async Task ForwardAsync(HttpContext context)
    {
        if (await FindAsync(context) is not { } channel)
        {
            return;
        }

        context.Describe(channel.Verdict);
        ForwarderError result;
        channel.Begin();
        try
        {
            result = await forwarder.SendAsync(context, channel.Origin, channel.Invoker, _config, AgentTransformer.Instance, context.RequestAborted);
        }
        finally
        {
            channel.End();
        }

        if (result == ForwarderError.None || context.Response.HasStarted)
        {
            return;
        }

        if (context.RequestAborted.IsCancellationRequested)
        {
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return;
        }

        var lost = AttestationException.In(context.Features.Get<IForwarderErrorFeature>()?.Exception);
        await (lost is null ? Explain(result, ForwarderFailure.BadRequestOf(context)) : AttestationErrors.Explain(lost)).WriteAsync(context);
    }

    /// <returns>Null where the client has got an error already: nothing of its request has left this proxy.</returns>
    private async ValueTask<AttestedChannel?> FindAsync(HttpContext context)
    {
        try
        {
            return await backends.GetAsync(DomainRequest.Of(context).Route!, DomainRequest.Of(context).DomainId, context.RequestAborted);
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

    private static OpenAiError Explain(ForwarderError error, BadHttpRequestException? refusal) => (error, refusal?.StatusCode) switch
    {
        (_, StatusCodes.Status413PayloadTooLarge) => OpenAiError.RequestTooLarge,
        (_, not null) => OpenAiError.BadHttp,
        (ForwarderError.RequestTimedOut, _) => OpenAiError.UpstreamTimeout,
        _ => OpenAiError.UpstreamError,
    };
}
