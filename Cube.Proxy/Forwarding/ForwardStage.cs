using Cube.Proxy.Attestation.Api;
using Cube.Proxy.Edge;
using Cube.Proxy.Models;
using Cube.Proxy.Models.Catalogues;
using Cube.Proxy.Routing;

namespace Cube.Proxy.Forwarding;

/// <summary>Last stage: lists of models, catalogues and questions of attestation are answered here, everything else by an agent.</summary>
internal sealed class ForwardStage(InferenceForwarder forwarder, ServedModels models, NativeModels natives, CatalogueApi catalogues, DomainAttestation attestation)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        return request.Endpoint!.Kind switch
        {
            EndpointKind.Catalogue => catalogues.AnswerAsync(context),
            EndpointKind.Attestation => attestation.AnswerAsync(context),
            EndpointKind.Lookup when request.Endpoint == InferenceEndpoints.ListModels => models.WriteListAsync(context),
            EndpointKind.Lookup when request.Endpoint == InferenceEndpoints.GetModel => models.WriteOneAsync(context, request.ModelId!),
            EndpointKind.Lookup => natives.AnswerAsync(context),
            _ => forwarder.ForwardAsync(context),
        };
    }
}
