using Cube.Proxy.Authentication;

namespace Cube.Proxy.Authorization;

/// <summary>A caller that is a member of the domain in the path. Authorization sets this feature; later steps read the domain from it.</summary>
internal sealed record DomainMember(Guid DomainId, Caller Caller);
