using Cube.Proxy.Edge;
using Cube.Proxy.Models;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Forwarder;

namespace Cube.Proxy.Forwarding;

/// <summary>Last stage: the model list is answered here, everything else by an agent.</summary>
internal sealed class ForwardStage(
    IHttpForwarder forwarder, AgentClient agent, ModelCatalogue models, IOptions<ProxyOptions> options)
{
    private readonly ForwarderRequestConfig _config = new() { ActivityTimeout = options.Value.ActivityTimeout };

    public async Task InvokeAsync(HttpContext context)
    {
        context.Response.Headers[EdgeExtensions.AttestationHeader] = EdgeExtensions.Attestation;
        var request = DomainRequest.Of(context);
        if (request.Endpoint == InferenceEndpoints.ListModels)
        {
            await models.WriteListAsync(context);
        }
        else if (request.Endpoint == InferenceEndpoints.GetModel)
        {
            await models.WriteOneAsync(context, request.ModelId!);
        }
        else
        {
            await ForwardAsync(context);
        }
    }

    private async Task ForwardAsync(HttpContext context)
    {
        var address = await agent.AddressAsync(context.RequestAborted);
        var result = await forwarder.SendAsync(context, address, agent.Invoker, _config, AgentTransformer.Instance, context.RequestAborted);
        if (result == ForwarderError.None || context.Response.HasStarted)
        {
            return;
        }

        if (context.RequestAborted.IsCancellationRequested)
        {
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return;
        }

        await Explain(result, ForwarderFailure.BadRequestOf(context)).WriteAsync(context);
    }

    private static OpenAiError Explain(ForwarderError error, BadHttpRequestException? refusal) => (error, refusal?.StatusCode) switch
    {
        (_, StatusCodes.Status413PayloadTooLarge) => OpenAiError.RequestTooLarge,
        (ForwarderError.RequestBodyClient, _) => OpenAiError.BadHttp,
        (ForwarderError.RequestTimedOut, _) => OpenAiError.UpstreamTimeout,
        _ => OpenAiError.UpstreamError,
    };
}
