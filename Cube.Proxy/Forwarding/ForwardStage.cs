using Cube.Proxy.Attestation.Api;
using Cube.Proxy.Edge;
using Cube.Proxy.Models;
using Cube.Proxy.Routing;

namespace Cube.Proxy.Forwarding;

/// <summary>Last stage: the model list and questions of attestation are answered here, everything else by an agent.</summary>
internal sealed class ForwardStage(InferenceForwarder forwarder, ModelCatalogue models, NativeModels natives, DomainAttestation attestation)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        return request.Endpoint == InferenceEndpoints.ListModels ? models.WriteListAsync(context)
            : request.Endpoint == InferenceEndpoints.GetModel ? models.WriteOneAsync(context, request.ModelId!)
            : request.Endpoint == InferenceEndpoints.NativeTags || request.Endpoint == InferenceEndpoints.NativeVersion ? natives.AnswerAsync(context)
            : request.Endpoint is { IsInference: false } ? attestation.AnswerAsync(context)
            : forwarder.ForwardAsync(context);
    }
}
