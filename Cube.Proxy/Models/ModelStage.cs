using Cube.Proxy.Authorization;
using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Models;

/// <summary>
/// Lets a request on only with a model of the catalogue that the caller may use for it. One that is not there and one that is not his
/// are answered alike.
/// </summary>
internal sealed class ModelStage(RequestDelegate next, ModelCatalogue catalogue, Permissions permissions)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        if (request.Body is not { } body)
        {
            await next(context);
            return;
        }

        var (name, fault) = ModelMember.Read(body.Bytes.Span);
        if (name is null)
        {
            body.Dispose();
            await fault!.WriteAsync(context);
            return;
        }

        var list = await catalogue.FindAsync(context, request.Route!);
        if (list is null)
        {
            body.Dispose();
            return;
        }

        var known = list.Resolve(name);
        var access = await permissions.FindAsync(request.Caller!, request.DomainId, request.Endpoint!.Action, known ?? name, request.Access!, context.RequestAborted);
        if (known is null || !access.IsAllowed)
        {
            body.Dispose();
            // A token's scope is its owner's own limit, which he may know of; a role's is not.
            await (access.ByToken ? OpenAiError.ModelNotFound : OpenAiError.InsufficientPermissions).WriteAsync(context);
            return;
        }

        body.Restore(context.Request);
        await next(context);
        // Only now, and not where something failed: the forwarder may still be reading it then.
        body.Dispose();
    }
}
