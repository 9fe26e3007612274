using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Authorization;
using Cube.Proxy.Edge;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Models;

/// <summary>
/// Lets a request on only with a model that the domain offers and that the caller may use for it. One that is not there and one that is not his
/// are answered alike.
/// </summary>
internal sealed class ModelStage(RequestDelegate next, ServedModels models, PoliciesInForce inForce, Permissions permissions)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        if (request.Wanted is not { Model: var name } || request.Endpoint!.Kind == EndpointKind.Weights)
        {
            await next(context);
            return;
        }

        if (await models.FindAsync(context, request.Route!) is not { } list)
        {
            return;
        }

        var known = list.Resolve(name, inForce.Current.CatalogueOf(request.DomainId));
        var access = await permissions.FindAsync(request.Caller!, request.DomainId, request.Endpoint!.Action, known?.Id ?? name, request.Access!, context.RequestAborted);
        if (known is null || !access.IsAllowed)
        {
            // A token's scope is its owner's own limit, which he may know of; a role's is not.
            await (access.ByToken ? OpenAiError.ModelNotFound : OpenAiError.InsufficientPermissions).WriteAsync(context);
            return;
        }

        (request.ModelAtServer, request.Backend) = (known.Value.Model.Id, list.Kind);
        await next(context);
    }
}
